/**
 * The WebSocket of an exchange, as small as a collector needs it: whole frames, any sign of life, one close. Reads land in
 * the kernel's own memory when the collector gives a place there, and a frame is told by its place: nothing is made for it.
 * After `close` or `drop` nothing is called any more, so that a replaced socket cannot speak into its successor's books.
 * Bad case: a server that pings and reads nothing; what waits for it is bounded, and it is cut off.
 */
import { isIP, connect as netConnect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { clientFrame, closePayload, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT } from "./client_frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { isSecure, readUpgrade, upgradeKey, upgradeRequest } from "./upgrade.ts";

/** What a socket tells. */
export type SocketHandlers = {
  readonly opened: () => void;
  /** A read came in: the frames that are told before the next one arrived together. A socket tells it always, or never. */
  readonly arrived?: () => void;
  /** A whole frame; the bytes are valid during the call only. */
  readonly frame: (bytes: Buffer, isBinary: boolean) => void;
  /** The same for a frame that lies in the landing; absent = `frame` is called for it. @param address in the kernel's memory */
  readonly landed?: (address: number, length: number, isBinary: boolean) => void;
  /** A ping or pong of the server. */
  readonly alive: () => void;
  /** It is over, cleanly or not; called once. @param refusal when the server answered the handshake with another status */
  readonly closed: (reason: string, refusal?: Refusal) => void;
};

/** How a handshake was refused. */
export type Refusal = {
  /** Of HTTP. */
  readonly status: number;
  /** The server asks us to stay away for so long. */
  readonly retryAfterMs?: number | undefined;
};

/** What a collector does with a socket. */
export type FeedSocket = {
  readonly send: (text: string) => void;
  readonly ping: () => void;
  /** Closes and forgets the handlers. */
  readonly drop: () => void;
};

/** A place for reads, of one socket at a time. */
export type Landing = {
  /** Of the first byte, in the kernel's memory. */
  readonly address: number;
  readonly bytes: Uint8Array;
};

/** Limits of a socket, and where its reads land: in a buffer of its own unless given. */
export type SocketLimits = { readonly frameBytesMax: number; readonly landing?: Landing | undefined };

/** Opens a socket. */
export type SocketFactory = (url: string, handlers: SocketHandlers, limits: SocketLimits) => FeedSocket;

const CLOSE_GOING_AWAY = 1001;
const CLOSE_NONE = 1005;
const CLOSE_ABNORMAL = 1006;
const CLOSE_PATIENCE_MS = 500;
const LANDING_BYTES = 65_536;
const REDIRECTS_MAX = 3;
/** What a server that reads nothing may leave unsent: pongs, mostly. */
const BACKLOG_BYTES_MAX = 1_048_576;
const PORT_PLAIN = 80;
const PORT_SECURE = 443;

/** Sockets over TCP or TLS; no compression, pings are answered. */
export const openWebSocket: SocketFactory = (url, handlers, limits) => {
  const socket = new ExchangeSocket(url, handlers, limits);
  return { send: (text) => socket.send(text), ping: () => socket.ping(), drop: () => socket.drop() };
};

class ExchangeSocket {
  readonly #handlers: SocketHandlers;
  readonly #landing: Uint8Array;
  readonly #reader: FrameReader;
  readonly #key = upgradeKey();
  #url: URL;
  #socket: Socket | undefined;
  #redirects = 0;
  /** The answer to the handshake so far; undefined when it is over. */
  #answer: string | undefined = "";
  #isOver = false;

  constructor(url: string, handlers: SocketHandlers, { frameBytesMax, landing }: SocketLimits) {
    this.#handlers = handlers;
    this.#url = new URL(url);
    this.#landing = landing?.bytes ?? new Uint8Array(LANDING_BYTES);
    this.#reader = new FrameReader(this.#landing, {
      payloadMax: frameBytesMax,
      sink: {
        landed: landedHandler(handlers, this.#landing, landing),
        assembled: (bytes, isBinary) => handlers.frame(bytes, isBinary),
        ping: (payload) => {
          handlers.alive();
          this.#write(OPCODE_PONG, payload);
        },
        pong: () => handlers.alive(),
        closed: (code, reason) => {
          this.#end(code === CLOSE_NONE ? undefined : code);
          this.#finish(`closed with ${code}${reason === "" ? "" : ` ${reason}`}`);
        },
        failed: (code, reason) => {
          this.#end(code);
          this.#finish(reason);
        },
      },
    });
    this.#connect();
  }

  send(text: string): void {
    if (this.#isOpen) {
      this.#write(OPCODE_TEXT, Buffer.from(text));
    }
  }

  ping(): void {
    if (this.#isOpen) {
      this.#write(OPCODE_PING);
    }
  }

  drop(): void {
    const isOpen = this.#isOpen;
    this.#isOver = true;
    this.#reader.stop();
    if (isOpen) {
      this.#end(CLOSE_GOING_AWAY);
    } else {
      this.#socket?.destroy();
    }
  }

  get #isOpen(): boolean {
    return !this.#isOver && this.#answer === undefined;
  }

  #connect(): void {
    const { hostname, port } = this.#url;
    const host = hostname.replace(/^\[|\]$/g, "");
    const isTls = isSecure(this.#url);
    const options = {
      host,
      port: port === "" ? (isTls ? PORT_SECURE : PORT_PLAIN) : Number(port),
      // The callback runs for every read: it must not make anything.
      onread: { buffer: this.#landing, callback: (bytes: number) => this.#landed(bytes) },
    };
    const socket = isTls ? tlsConnect({ ...options, servername: isIP(host) === 0 ? host : "" }) : netConnect(options);
    this.#socket = socket;
    let lastError: Error | undefined;
    socket.setNoDelay(true);
    socket.once(isTls ? "secureConnect" : "connect", () => socket.write(upgradeRequest(this.#url, this.#key)));
    socket.on("error", (error) => {
      lastError = error;
    });
    socket.once("close", () => {
      if (socket === this.#socket) {
        const before = this.#answer === undefined ? `closed with ${CLOSE_ABNORMAL}` : "socket hang up";
        this.#finish(lastError === undefined ? before : errorText(lastError));
      }
    });
  }

  /** @returns whether more may be read */
  #landed(bytes: number): boolean {
    if (this.#isOver) {
      return false;
    }
    this.#handlers.arrived?.();
    const from = this.#answer === undefined ? 0 : this.#shakeHands(bytes);
    if (from >= 0) {
      this.#reader.read(from, bytes);
    }
    return !this.#isOver;
  }

  /** @returns where frames begin in the landing; −1 when the handshake is not over */
  #shakeHands(bytes: number): number {
    const before = this.#answer?.length ?? 0;
    this.#answer = `${this.#answer ?? ""}${Buffer.from(this.#landing.subarray(0, bytes)).toString("latin1")}`;
    const answer = readUpgrade(this.#answer, { url: this.#url, key: this.#key });
    switch (answer.kind) {
      case "accepted":
        this.#answer = undefined;
        this.#handlers.opened();
        return answer.headBytes - before;
      case "moved":
        this.#follow(answer.url);
        return -1;
      case "refused":
        this.#socket?.destroy();
        this.#finish(answer.reason, answer.refusal);
        return -1;
      default:
        return -1;
    }
  }

  #follow(url: string): void {
    this.#redirects += 1;
    const before = this.#socket;
    if (this.#redirects > REDIRECTS_MAX) {
      before?.destroy();
      this.#finish("Maximum redirects exceeded");
      return;
    }
    this.#socket = undefined;
    before?.destroy();
    this.#url = new URL(url);
    this.#answer = "";
    this.#connect();
  }

  #write(opcode: number, payload?: Uint8Array): void {
    const socket = this.#socket;
    socket?.write(clientFrame(opcode, payload));
    if (socket !== undefined && socket.writableLength > BACKLOG_BYTES_MAX) {
      socket.destroy();
      this.#finish(`The server does not read: ${BACKLOG_BYTES_MAX} bytes wait for it`);
    }
  }

  /** Says why and goes, reading nothing more; a server that keeps its end open is cut off. */
  #end(code: number | undefined): void {
    const socket = this.#socket;
    if (socket !== undefined) {
      socket.pause();
      socket.end(clientFrame(OPCODE_CLOSE, code === undefined ? undefined : closePayload(code)));
      setTimeout(() => socket.destroy(), CLOSE_PATIENCE_MS).unref();
    }
  }

  #finish(reason: string, refusal?: Refusal): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#reader.stop();
      this.#handlers.closed(reason, refusal);
    }
  }
}

/** A name that stands for several addresses fails with several errors and no text of its own. */
function errorText(error: Error): string {
  const parts: unknown[] = error instanceof AggregateError ? error.errors : [];
  const texts = parts.map((part) => (part instanceof Error ? part.message : String(part)));
  return [error.message, texts.join("; ")].find((text) => text !== "") ?? error.name;
}

/** What is done with a frame in the landing: told by its place where somebody wants that, else by its bytes. */
function landedHandler(
  { frame, landed }: SocketHandlers,
  bytes: Uint8Array,
  landing: Landing | undefined,
): (start: number, length: number, isBinary: boolean) => void {
  if (landing !== undefined && landed !== undefined) {
    const { address } = landing;
    return (start, length, isBinary) => landed(address + start, length, isBinary);
  }
  return (start, length, isBinary) => frame(Buffer.from(bytes.buffer, bytes.byteOffset + start, length), isBinary);
}
