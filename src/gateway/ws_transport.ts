/**
 * The transport over `ws` and node:http, for machines where the addon of uWebSockets.js cannot load. Same contract, far
 * fewer clients per core: topics are plain sets, and every delivery is a call of its own.
 * Bad case: `ws` never drops; messages beyond the limit are dropped here, so that memory stays bounded, and `dropped`
 * tells. A socket's `drain` comes from the TCP socket below it.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { ConfigError, ConnectionError } from "../errors.ts";
import { statusText } from "./http_status.ts";
import type { Connection, ListenOptions, Payload, TlsFiles, Transport, TransportServer } from "./transport.ts";
import { pathOf, requestSource, serveRequest } from "./ws_http.ts";

/** A request must be complete within this time, as it must be with the other transport. */
const REQUEST_MS = 10_000;
const CLOSE_GRACE_MS = 300;
const GOING_AWAY = 1001;

/** Makes the transport; nothing can go wrong before listening. */
export function createWsTransport(): Transport {
  return { name: "ws", listen };
}

async function listen(options: ListenOptions): Promise<TransportServer> {
  const http = openServer(options.tls, (request, response) => serveRequest(request, response, options));
  const hub = new Hub(options);
  http.on("upgrade", (request, socket, head) => hub.upgrade(request, socket, head));
  return await new Promise((resolve, reject) => {
    http.once("error", (cause: NodeJS.ErrnoException) => {
      const where = `${options.host}:${options.port}`;
      const reason = cause.code === "EADDRINUSE" ? "the port is taken" : cause.message;
      reject(new ConnectionError(`Cannot listen: ${reason}, was ${where}`, { cause }));
    });
    http.listen({ host: options.host, port: options.port, exclusive: true }, () => {
      const { port } = http.address() as AddressInfo;
      let closing: Promise<void> | undefined;
      resolve({
        port,
        publish: (topic, payload) => hub.publish(topic, payload),
        close: () => {
          closing ??= hub.close(http);
          return closing;
        },
      });
    });
  });
}

/** @throws ConfigError when certificate or key cannot be used */
function openServer(tls: TlsFiles | undefined, listener: RequestListener): Server {
  const timing = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 };
  if (tls === undefined) {
    return createServer(timing, listener);
  }
  try {
    const secrets = { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
    return createSecureServer({ ...timing, ...secrets }, listener);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot use the certificate: ${reason}, was ${tls.certFile} with ${tls.keyFile}`, { cause });
  }
}

class Hub {
  readonly topics = new Map<string, Set<WsConnection>>();
  readonly #options: ListenOptions;
  readonly #sockets: WebSocketServer;
  readonly #connections = new Set<WsConnection>();
  readonly #pings: NodeJS.Timeout;
  #lastId = 0;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.messageBytesMax,
      handleProtocols: (_offered, request) => chosenProtocols.get(request) ?? false,
    });
    this.#pings = setInterval(() => this.#pingAll(), (options.idleSeconds * 1000) / 2);
    this.#pings.unref();
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = pathOf(request);
    if (!this.#options.webSocketPaths.includes(path)) {
      refuse(socket, 404, "no stream here");
      return;
    }
    const offered = request.headers["sec-websocket-protocol"] ?? "";
    const accepted = this.#options.handlers.upgrade({
      path,
      ...requestSource(request),
      protocols: offered
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== ""),
    });
    if ("status" in accepted) {
      refuse(socket, accepted.status, accepted.body);
      return;
    }
    chosenProtocols.set(request, accepted.protocol === "" ? false : accepted.protocol);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#open(webSocket, { request, remote: accepted.remote }),
    );
  }

  publish(topic: string, payload: Payload): void {
    const subscribers = this.topics.get(topic);
    if (subscribers !== undefined && subscribers.size > 0) {
      const copy = typeof payload === "string" ? payload : Buffer.from(payload);
      for (const connection of subscribers) {
        connection.transmit(copy);
      }
    }
  }

  async close(http: Server): Promise<void> {
    clearInterval(this.#pings);
    http.close();
    for (const connection of this.#connections) {
      connection.close(GOING_AWAY, "server stops");
    }
    const deadline = performance.now() + CLOSE_GRACE_MS;
    while (this.#connections.size > 0 && performance.now() < deadline) {
      await new Promise((resume) => setTimeout(resume, 10));
    }
    for (const connection of this.#connections) {
      connection.terminate();
    }
    http.closeAllConnections();
  }

  #open(webSocket: WebSocket, { request, remote }: { request: IncomingMessage; remote: string }): void {
    const { handlers } = this.#options;
    const connection = new WsConnection(webSocket, {
      id: ++this.#lastId,
      remote,
      hub: this,
      limit: this.#options.backpressureBytesMax,
      dropped: () => handlers.dropped(connection),
    });
    this.#connections.add(connection);
    webSocket.on("message", (message: RawData, isBinary: boolean) => {
      handlers.message(connection, toBytes(message), !isBinary);
    });
    webSocket.on("pong", () => connection.heard());
    // A broken frame of the client: ws closes the connection itself, and "close" follows.
    webSocket.on("error", () => connection.heard());
    request.socket.on("drain", () => handlers.drain(connection));
    webSocket.on("close", (code: number) => {
      connection.forget();
      this.#connections.delete(connection);
      handlers.close(connection, code);
    });
    handlers.open(connection);
  }

  #pingAll(): void {
    for (const connection of this.#connections) {
      connection.ping();
    }
  }
}

/** Which subprotocol the gateway chose for a request that is being upgraded. */
const chosenProtocols = new WeakMap<IncomingMessage, string | false>();

class WsConnection implements Connection {
  readonly id: number;
  readonly protocol: string;
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #hub: Hub;
  readonly #limit: number;
  readonly #dropped: () => void;
  readonly #topics = new Set<string>();
  #isAlive = true;

  constructor(
    socket: WebSocket,
    options: { id: number; remote: string; hub: Hub; limit: number; dropped: () => void },
  ) {
    this.#socket = socket;
    this.id = options.id;
    this.protocol = socket.protocol;
    this.remote = options.remote;
    this.#hub = options.hub;
    this.#limit = options.limit;
    this.#dropped = options.dropped;
  }

  send(payload: Payload): void {
    this.transmit(typeof payload === "string" ? payload : Buffer.from(payload));
  }

  /** Sends what nobody will change any more. */
  transmit(payload: string | Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      return;
    }
    if (this.#socket.bufferedAmount > this.#limit) {
      this.#dropped();
      return;
    }
    this.#socket.send(payload, { binary: typeof payload !== "string" });
  }

  subscribe(topic: string): void {
    const subscribers = this.#hub.topics.get(topic) ?? new Set();
    this.#hub.topics.set(topic, subscribers.add(this));
    this.#topics.add(topic);
  }

  unsubscribe(topic: string): void {
    const subscribers = this.#hub.topics.get(topic);
    subscribers?.delete(this);
    if (subscribers?.size === 0) {
      this.#hub.topics.delete(topic);
    }
    this.#topics.delete(topic);
  }

  bufferedBytes(): number {
    return this.#socket.readyState === WebSocket.OPEN ? this.#socket.bufferedAmount : 0;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  heard(): void {
    this.#isAlive = true;
  }

  /** Pings, or ends a connection that did not answer the ping before. */
  ping(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.ping();
    }
  }

  forget(): void {
    for (const topic of [...this.#topics]) {
      this.unsubscribe(topic);
    }
  }
}

function refuse(socket: Duplex, status: number, body: string): void {
  const head = `HTTP/1.1 ${status} ${statusText(status)}\r\nconnection: close\r\ncontent-type: text/plain`;
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function toBytes(message: RawData): Uint8Array {
  return Array.isArray(message) ? Buffer.concat(message) : new Uint8Array(message as Buffer);
}
