/**
 * One exchange's server: REST and WebSocket on one port. Knows HTTP and frames, no exchange.
 * Bad case: a client that reads slower than the market moves; beyond 64 MiB of unread frames it is cut, as real
 * exchanges do, so that it cannot fill the memory of the machine.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ConfigError } from "../errors.ts";
import type { ClientSession, Connection, Protocol, RestAnswer, RestRequest } from "./protocol.ts";

/** Unread bytes per client beyond which it is cut. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
const REST_BODY_BYTES_MAX = 64 * 1024;

/** What a server has done since it started. */
export type ServerCounts = {
  /** WebSockets accepted. */
  connections: number;
  /** WebSockets open now. */
  openConnections: number;
  /** Text frames sent. */
  framesSent: number;
  /** UTF-8 bytes of those frames. */
  bytesSent: number;
  /** Text or binary messages of clients. */
  clientMessages: number;
  /** REST requests. */
  restRequests: number;
  /** Clients cut because they read too slowly. */
  slowClientsCut: number;
};

type ServerOptions = {
  host: string;
  /** 0 for any free port. */
  port: number;
  log: (message: string) => void;
};

/** Serves one protocol. */
export class ExchangeServer {
  readonly counts: ServerCounts = {
    connections: 0,
    openConnections: 0,
    framesSent: 0,
    bytesSent: 0,
    clientMessages: 0,
    restRequests: 0,
    slowClientsCut: 0,
  };
  readonly #protocol: Protocol;
  readonly #options: ServerOptions;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #sessions = new Set<ClientSession>();

  constructor(protocol: Protocol, options: ServerOptions) {
    this.#protocol = protocol;
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: protocol.messageBytesMax,
    });
    this.#http = createServer((request, response) => void this.#rest(request, response));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (_error, socket) => refuse(socket, "400 Bad Request"));
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

  /** Lets every session see the time. @param atMs now, Unix milliseconds */
  tick(atMs: number): void {
    for (const session of this.#sessions) {
      session.tick(atMs);
    }
  }

  /** Cuts every client and frees the port; takes well under a second. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) {
      socket.terminate();
    }
    this.#sockets.close();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", (error) => this.#options.log(`client socket failed: ${error.message}`));
    const url = parseUrl(request);
    if (url === undefined || !this.#protocol.accepts(url)) {
      refuse(socket, "404 Not Found");
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket, url));
  }

  #open(socket: WebSocket, url: URL): void {
    const { counts } = this;
    const connection = new ClientConnection(socket, counts);
    counts.connections += 1;
    counts.openConnections += 1;
    const session = this.#protocol.connect(connection, url);
    this.#sessions.add(session);
    socket.on("message", (message: Buffer) => {
      counts.clientMessages += 1;
      session.message(message.toString("utf8"));
    });
    socket.on("ping", (payload: Buffer) => session.control("ping", payload.toString("utf8")));
    socket.on("pong", (payload: Buffer) => session.control("pong", payload.toString("utf8")));
    socket.on("error", (error) => this.#options.log(`client broke the WebSocket protocol: ${error.message}`));
    socket.once("close", () => {
      counts.openConnections -= 1;
      this.#sessions.delete(session);
      session.closed();
    });
  }

  async #rest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.counts.restRequests += 1;
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
      write(response, { status: 400, body: '{"message":"Bad Request"}' });
      return;
    }
    const { pathname, searchParams } = url;
    const remote = request.socket.remoteAddress ?? "";
    const answer = await this.#answer({ method: request.method ?? "GET", path: pathname, query: searchParams, remote });
    if (!response.destroyed) {
      write(response, answer);
    }
  }

  async #answer(request: RestRequest): Promise<RestAnswer> {
    try {
      return await this.#protocol.answer(request);
    } catch (cause) {
      this.#options.log(`REST answer failed: ${cause instanceof Error ? cause.stack : String(cause)}`);
      return { status: 500, body: '{"message":"Internal server error"}' };
    }
  }
}

/** A client's WebSocket. */
class ClientConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #counts: ServerCounts;

  constructor(socket: WebSocket, counts: ServerCounts) {
    this.#socket = socket;
    this.#counts = counts;
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(frame: string | Buffer, onWritten?: () => void): void {
    if (!this.#isOpen) {
      onWritten?.();
      return;
    }
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    this.#counts.framesSent += 1;
    this.#counts.bytesSent += bytes.length;
    this.#socket.send(bytes, { binary: false }, () => onWritten?.());
    if (this.#socket.bufferedAmount > UNREAD_BYTES_MAX) {
      this.#counts.slowClientsCut += 1;
      this.#socket.terminate();
    }
  }

  ping(payload: string): void {
    if (this.#isOpen) {
      this.#socket.ping(payload);
    }
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}

function parseUrl(request: IncomingMessage): URL | undefined {
  const text = request.url ?? "/";
  const base = "http://emulator";
  return text.startsWith("/") && URL.canParse(base + text) ? new URL(base + text) : undefined;
}

function write(response: ServerResponse, { status, body, headers = {} }: RestAnswer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": bytes.length, ...headers });
  response.end(bytes);
}

function refuse(socket: Duplex, status: string): void {
  if (socket.writable) {
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  } else {
    socket.destroy();
  }
}
