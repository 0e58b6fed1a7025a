/**
 * The seam between the servers (sockets, HTTP) and what is spoken over them: a Protocol per exchange, a ClientSession
 * per WebSocket. A protocol never sees a socket and a server never reads a message.
 * Bad case: a session that sends after its socket closed; the connection drops such frames silently, as a network does.
 */

/** What a session may do with its WebSocket. */
export interface Connection {
  /**
   * Sends one text frame. Every frame that leaves the emulator passes here: the place where faults can be injected.
   * @param frame text, or its UTF-8 bytes where one frame goes to many clients
   * @param onWritten called when the frame has left for the kernel, or was dropped because the socket is closed
   */
  send(frame: string | Buffer, onWritten?: () => void): void;
  /** Sends a WebSocket ping. @param payload copied into the pong, at most 125 bytes */
  ping(payload: string): void;
  /** Closes with a WebSocket close code. */
  close(code: number, reason: string): void;
}

/** One client's conversation. */
export interface ClientSession {
  /** A text frame, or the bytes of a binary one read as UTF-8. */
  message(text: string): void;
  /** A ping or pong frame of the client. @param payload as UTF-8 */
  control(kind: "ping" | "pong", payload: string): void;
  /** Called about every 50 ms. @param atMs now, Unix milliseconds */
  tick(atMs: number): void;
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
};

/** The answer to a REST request. */
export type RestAnswer = {
  status: number;
  /** JSON text. */
  body: string;
  headers?: Record<string, string>;
};

/** What one exchange speaks. */
export interface Protocol {
  /** Whether a WebSocket may be opened at this address; otherwise the upgrade is refused with 404. */
  accepts(url: URL): boolean;
  /** A client opened a WebSocket at an accepted address. */
  connect(connection: Connection, url: URL): ClientSession;
  /** Answers a REST request; may hold it. */
  answer(request: RestRequest): RestAnswer | Promise<RestAnswer>;
  /** Largest message of a client in bytes; beyond it the socket is closed with code 1009. */
  readonly messageBytesMax: number;
}

/** An answer that is an object. */
export function jsonAnswer(status: number, value: unknown, headers?: Record<string, string>): RestAnswer {
  return { status, body: JSON.stringify(value), ...(headers === undefined ? {} : { headers }) };
}
