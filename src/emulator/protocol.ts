/**
 * The seam between the shells (sockets and HTTP, or memory) and what is spoken over them: a Protocol per exchange, a
 * ClientSession per connection. A protocol never sees a socket and a shell never reads a message.
 * Bad case: a session that sends after its socket closed; the connection drops such frames silently, as a network does.
 */

/** What kind of frame it is, by its use to a client. */
export type FrameKind = "snapshot" | "book" | "trade" | "ticker" | "kline" | "heartbeat" | "reply" | "other";

/** An event of a true book. */
export type TrueEvent = {
  /** The exchange's update id where it has one, else the number of the event. */
  readonly sequence: number;
  /** When it happened by the exchange's clock, Unix microseconds. */
  readonly timeUs: number;
};

/** What a frame is about. */
export type FrameAbout = {
  readonly kind: FrameKind;
  /** Native symbol; empty where the frame is about none, or about several. */
  readonly symbol: string;
  /** Of a synthetic market: the last event that a frame of a book tells. */
  readonly event?: TrueEvent;
  /** Called when the frame has left, or was dropped because the socket is closed or a fault swallowed it. */
  readonly onWritten?: () => void;
};

/** An answer to a request, about no instrument in particular. */
export const REPLY: FrameAbout = { kind: "reply", symbol: "" };

/** A part of what a client subscribes to. */
export type Subscription = { readonly symbol: string; readonly kind: "book" | "trade"; readonly isOn: boolean };

/** What a session may do with its connection. */
export interface Connection {
  /**
   * Sends one text frame. Every frame that leaves the emulator passes here: the place where faults are injected.
   * @param frame text, or its UTF-8 bytes where one frame goes to many clients
   */
  send(frame: string | Buffer, about: FrameAbout): void;
  /** Sends a WebSocket ping. @param payload copied into the pong, at most 125 bytes */
  ping(payload: string): void;
  /** Closes with a WebSocket close code. */
  close(code: number, reason: string): void;
  /** Says that a subscription begins or ends: called before its acknowledgement is sent. */
  subscription(change: Subscription): void;
}

/** Something that an exchange sends without being asked. */
export type Unasked =
  | { readonly what: "snapshot"; readonly symbol: string }
  | { readonly what: "shutdown" }
  | { readonly what: "maintenance"; readonly system: string };

/** One client's conversation. */
export interface ClientSession {
  /** A text frame, or the bytes of a binary one read as UTF-8. */
  message(text: string): void;
  /** A ping or pong frame of the client. @param payload as UTF-8 */
  control(kind: "ping" | "pong", payload: string): void;
  /** Called about every 50 ms. @param atMs now, Unix milliseconds */
  tick(atMs: number): void;
  /** Sends something unasked. @returns false when this exchange has no such frame, or the client no such subscription */
  volunteer(unasked: Unasked): boolean;
  /** The socket is gone. */
  closed(): void;
}

/** A REST request, already parsed. */
export type RestRequest = {
  method: string;
  path: string;
  query: URLSearchParams;
  /** Address of the client: limits count per address. */
  remote: string;
  /** Depth is answered from the book as it stood so many milliseconds ago, where the history reaches back so far. */
  agedMs?: number;
};

/** The answer to a REST request. */
export type RestAnswer = {
  status: number;
  /** JSON text. */
  body: string;
  headers?: Record<string, string>;
};

/** What a REST request asks for. */
export type RestAbout = { readonly kind: "depth" | "metadata" | "other"; readonly symbol: string };

/** A request for nothing that has a name here. */
export const REST_OTHER: RestAbout = { kind: "other", symbol: "" };

/** Which part of a book clients know. */
export type KnownPart = {
  /** Levels per side. */
  readonly levels?: number;
  /** Plain decimals: bids below and asks above are unknown. */
  readonly lowest?: string;
  readonly highest?: string;
};

/** What one exchange speaks. */
export interface Protocol {
  /** Whether a WebSocket may be opened at this address; otherwise the upgrade is refused with 404. */
  accepts(url: URL): boolean;
  /** A client opened a WebSocket at an accepted address. */
  connect(connection: Connection, url: URL): ClientSession;
  /** Answers a REST request; may hold it. */
  answer(request: RestRequest): RestAnswer | Promise<RestAnswer>;
  /** What a REST request asks for. */
  about(request: RestRequest): RestAbout;
  /** The part of a book that clients know of it, as far as that can be told; absent: all of it. */
  known?(symbol: string): KnownPart;
  /** Says how the exchange works from now on, e.g. `post_only`, to whoever connects or asks. */
  setSystem?(system: string): void;
  /** Native symbols that are listed. */
  readonly symbols: readonly string[];
  /** Largest message of a client in bytes; beyond it the socket is closed with code 1009. */
  readonly messageBytesMax: number;
  /** What a client is told whose request was dropped because it sends too fast; undefined where nobody is told. */
  readonly messageRateFrame?: string;
}

/** An answer that is an object. */
export function jsonAnswer(status: number, value: unknown, headers?: Record<string, string>): RestAnswer {
  return { status, body: JSON.stringify(value), ...(headers === undefined ? {} : { headers }) };
}
