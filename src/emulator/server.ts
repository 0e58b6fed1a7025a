/**
 * The socket shell: one exchange's REST and WebSocket on one port. Knows HTTP and frames, no exchange.
 * Bad case: a client that breaks HTTP or the WebSocket protocol; it is answered or cut, and the log says so.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ConfigError } from "../errors.ts";
import type { ExchangeCore, Link } from "./exchange_core.ts";
import type { RestAnswer } from "./protocol.ts";
import type { RestOutcome } from "./rest_faults.ts";

const REST_BODY_BYTES_MAX = 64 * 1024;
const STATUS_TEXTS: Readonly<Record<number, string>> = { 404: "Not Found", 429: "Too Many Requests" };

type ServerOptions = {
  host: string;
  /** 0 for any free port. */
  port: number;
  log: (message: string) => void;
};

/** Serves one exchange. */
export class ExchangeServer {
  readonly #core: ExchangeCore;
  readonly #options: ServerOptions;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  /** Clients that get no answer to their attempt to connect. */
  readonly #unanswered = new Set<Duplex>();

  constructor(core: ExchangeCore, options: ServerOptions) {
    this.#core = core;
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: core.messageBytesMax,
    });
    this.#http = createServer((request, response) => void this.#rest(request, response));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (_error, socket) => refuse(socket, { status: 400 }));
  }

  /**
   * Starts to listen.
   * @returns host and port as they stand in URLs, e.g. `127.0.0.1:40123`
   * @throws ConfigError when the port is taken or the host is not ours
   */
  async listen(): Promise<string> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#http.on("error", (cause) => {
        this.#options.log(`server failed: ${cause.message}`);
        reject(new ConfigError(`Cannot listen for the emulator: ${cause.message}, was ${host}:${port}`, { cause }));
      });
      this.#http.listen({ host, port, exclusive: true }, resolve);
    });
    const address = this.#http.address() as AddressInfo;
    return address.family === "IPv6" ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  /** Cuts every client and frees the port; takes well under a second. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) {
      socket.terminate();
    }
    for (const socket of this.#unanswered) {
      socket.destroy();
    }
    this.#sockets.close();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", (error) => this.#options.log(`client socket failed: ${error.message}`));
    const url = parseUrl(request);
    const admission = url === undefined ? undefined : this.#core.admit(url, request.socket.remoteAddress ?? "");
    if (url === undefined || admission === undefined || admission.is === "unknown") {
      refuse(socket, { status: 404 });
    } else if (admission.is === "refused") {
      refuse(socket, admission);
    } else if (admission.is === "unanswered") {
      this.#unanswered.add(socket);
      socket.once("close", () => this.#unanswered.delete(socket));
      socket.resume();
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket, { socket, url }));
    }
  }

  #open(webSocket: WebSocket, { socket, url }: { socket: Duplex; url: URL }): void {
    const peer = this.#core.open(new SocketLink(webSocket, socket), url);
    webSocket.on("message", (message: Buffer) => peer.message(message.toString("utf8")));
    webSocket.on("ping", (payload: Buffer) => peer.control("ping", payload.toString("utf8")));
    webSocket.on("pong", (payload: Buffer) => peer.control("pong", payload.toString("utf8")));
    webSocket.on("error", (error) => this.#options.log(`client broke the WebSocket protocol: ${error.message}`));
    webSocket.once("close", () => peer.closed());
  }

  async #rest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", (error) => this.#options.log(`REST answer failed: ${error.message}`));
    let received = 0;
    request.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > REST_BODY_BYTES_MAX) {
        request.destroy();
      }
    });
    const url = parseUrl(request);
    if (url === undefined) {
      write(response, { is: "answered", answer: { status: 400, body: '{"message":"Bad Request"}' } });
      return;
    }
    const { pathname, searchParams } = url;
    const remote = request.socket.remoteAddress ?? "";
    const asked = { method: request.method ?? "GET", path: pathname, query: searchParams, remote };
    const outcome = await this.#core.answer(asked);
    if (!response.destroyed) {
      write(response, outcome);
    }
  }
}

/** A client's WebSocket. */
class SocketLink implements Link {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;

  constructor(webSocket: WebSocket, socket: Duplex) {
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  get unreadBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  send(bytes: Buffer, onWritten?: () => void): void {
    this.#webSocket.send(bytes, { binary: false }, () => onWritten?.());
  }

  ping(payload: string): void {
    if (this.isOpen) {
      this.#webSocket.ping(payload);
    }
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
  }

  cut(): void {
    this.#webSocket.terminate();
  }

  // What the client sends is read and thrown away, so that the end of its connection is noticed and nothing else.
  freeze(): void {
    this.#socket.removeAllListeners("data");
    this.#socket.resume();
  }
}

function parseUrl(request: IncomingMessage): URL | undefined {
  const text = request.url ?? "/";
  const base = "http://emulator";
  return text.startsWith("/") && URL.canParse(base + text) ? new URL(base + text) : undefined;
}

function write(response: ServerResponse, outcome: RestOutcome): void {
  if (outcome.is === "unanswered") {
    return;
  }
  const { status, body, headers = {} }: RestAnswer = outcome.answer;
  const bytes = Buffer.from(body);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": bytes.length, ...headers });
  if (outcome.is === "cut") {
    response.write(bytes.subarray(0, outcome.bytes), () => response.destroy());
  } else {
    response.end(bytes);
  }
}

function refuse(socket: Duplex, { status, retryAfterS }: { status: number; retryAfterS?: number }): void {
  if (socket.writable) {
    const retry = retryAfterS === undefined ? "" : `Retry-After: ${retryAfterS}\r\n`;
    const reason = STATUS_TEXTS[status] ?? "Refused";
    socket.end(`HTTP/1.1 ${status} ${reason}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`);
  } else {
    socket.destroy();
  }
}
