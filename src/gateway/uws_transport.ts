/**
 * The transport over uWebSockets.js: topics and fan-out in native code. Compression is off: it runs once per subscriber
 * and makes small binary frames bigger. The port is opened exclusively, because by default two processes could share it
 * and each would get half of the clients. Bad case: a closed socket throws on every call; each connection remembers that
 * it is closed. The addon does not load everywhere: it is imported when the transport is made, and that may reject.
 */

import type {
  HttpRequest as NativeRequest,
  HttpResponse as NativeResponse,
  WebSocket as NativeSocket,
  TemplatedApp,
  us_listen_socket,
  WebSocketBehavior,
} from "uWebSockets.js";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { ConfigError, ConnectionError } from "../errors.ts";
import type {
  Connection,
  ListenOptions,
  Payload,
  TlsFiles,
  Transport,
  TransportHandlers,
  TransportServer,
} from "./transport.ts";
import { requestSource, sendWhole, serveRequest } from "./uws_http.ts";

const CLOSE_GRACE_MS = 50;
const GOING_AWAY = 1001;
const SECONDS_STEP = 8;
const IDLE_SECONDS_MAX = 960;

/** What the addon offers and its declarations leave out, here and below. */
type Native = typeof import("uWebSockets.js") & { readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number };
type SocketState = { protocol: string; remote: string; connection?: UwsConnection };
type NativeListen = {
  listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): void;
};
type NativeBehavior = WebSocketBehavior<SocketState> & { dropped(socket: NativeSocket<SocketState>): void };

/**
 * Loads the addon.
 * @throws whatever the import throws where it cannot load (another C library, another Node version)
 */
export async function createUwsTransport(): Promise<Transport> {
  const { default: native } = (await import("uWebSockets.js")) as unknown as { default: Native };
  return { name: "uwebsockets", listen: (options) => listen(native, options) };
}

async function listen(native: Native, options: ListenOptions): Promise<TransportServer> {
  const app = createApp(native, options.tls);
  const connections = new Set<UwsConnection>();
  const behavior = socketBehavior(native, options, connections);
  for (const path of options.webSocketPaths) {
    app.ws(path, behavior);
  }
  app.any("/*", (response, request) => {
    serveRequest(response, request, options);
  });
  return await new Promise((resolve, reject) => {
    (app as unknown as NativeListen).listen(
      options.host,
      options.port,
      native.LIBUS_LISTEN_EXCLUSIVE_PORT,
      (socket) => {
        if (socket === false) {
          const where = `${options.host}:${options.port}`;
          reject(new ConnectionError(`Cannot listen: the port is taken or the host is not ours, was ${where}`));
          return;
        }
        resolve(server(native, { app, socket, connections }));
      },
    );
  });
}

/** @throws ConfigError when certificate or key cannot be used */
function createApp(native: Native, tls: TlsFiles | undefined): TemplatedApp {
  if (tls === undefined) {
    return native.App();
  }
  checkCertificate(tls);
  return native.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
}

/** The addon ends the process when it cannot use a file: whatever is wrong is found here before. */
function checkCertificate({ certFile, keyFile }: TlsFiles): void {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot use the certificate: ${reason}, was ${certFile} with ${keyFile}`, { cause });
  }
}

function server(
  native: Native,
  parts: { app: TemplatedApp; socket: us_listen_socket; connections: Set<UwsConnection> },
): TransportServer {
  let closing: Promise<void> | undefined;
  return {
    port: native.us_socket_local_port(parts.socket),
    publish(topic, payload) {
      parts.app.publish(topic, payload, typeof payload !== "string", false);
    },
    close() {
      closing ??= closeAll(native, parts);
      return closing;
    },
  };
}

async function closeAll(
  native: Native,
  { app, socket, connections }: { app: TemplatedApp; socket: us_listen_socket; connections: Set<UwsConnection> },
): Promise<void> {
  native.us_listen_socket_close(socket);
  for (const connection of connections) {
    connection.close(GOING_AWAY, "server stops");
  }
  // Closed connections leave the set at once; the grace lets the operating system send what was written.
  await new Promise((resume) => setTimeout(resume, CLOSE_GRACE_MS));
  app.close();
}

function socketBehavior(native: Native, options: ListenOptions, connections: Set<UwsConnection>): NativeBehavior {
  const { handlers } = options;
  let lastId = 0;
  const withConnection = (socket: NativeSocket<SocketState>, act: (connection: UwsConnection) => void) => {
    const { connection } = socket.getUserData();
    if (connection !== undefined) {
      act(connection);
    }
  };
  return {
    compression: native.DISABLED,
    maxPayloadLength: options.messageBytesMax,
    maxBackpressure: options.backpressureBytesMax,
    idleTimeout: idleSeconds(options.idleSeconds),
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => upgrade({ response, request, context, handlers }),
    open(socket) {
      const connection = new UwsConnection(socket, ++lastId);
      socket.getUserData().connection = connection;
      connections.add(connection);
      handlers.open(connection);
    },
    message(socket, message, isBinary) {
      withConnection(socket, (connection) => handlers.message(connection, new Uint8Array(message), !isBinary));
    },
    drain(socket) {
      withConnection(socket, (connection) => handlers.drain(connection));
    },
    dropped(socket) {
      withConnection(socket, (connection) => handlers.dropped(connection));
    },
    close(socket, code) {
      withConnection(socket, (connection) => {
        connection.forget();
        connections.delete(connection);
        handlers.close(connection, code);
      });
    },
  };
}

function upgrade(parts: {
  response: NativeResponse;
  request: NativeRequest;
  context: Parameters<NativeResponse["upgrade"]>[4];
  handlers: TransportHandlers;
}): void {
  const { response, request, context, handlers } = parts;
  const offered = request.getHeader("sec-websocket-protocol");
  const accepted = handlers.upgrade({
    path: request.getUrl(),
    ...requestSource(response, request),
    protocols: offered
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  });
  if ("status" in accepted) {
    const { status, body } = accepted;
    sendWhole(response, { status, headers: { "content-type": "text/plain" }, body });
    return;
  }
  const state: SocketState = { protocol: accepted.protocol, remote: accepted.remote };
  const key = request.getHeader("sec-websocket-key");
  response.upgrade(state, key, accepted.protocol, request.getHeader("sec-websocket-extensions"), context);
}

class UwsConnection implements Connection {
  readonly id: number;
  readonly protocol: string;
  readonly remote: string;
  #socket: NativeSocket<SocketState> | undefined;

  constructor(socket: NativeSocket<SocketState>, id: number) {
    const { protocol, remote } = socket.getUserData();
    this.#socket = socket;
    this.id = id;
    this.protocol = protocol;
    this.remote = remote;
  }

  send(payload: Payload): void {
    this.#socket?.send(payload, typeof payload !== "string", false);
  }

  subscribe(topic: string): void {
    this.#socket?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#socket?.unsubscribe(topic);
  }

  bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  close(code: number, reason: string): void {
    this.#socket?.end(code, reason);
  }

  /** After this the native socket is never touched again. */
  forget(): void {
    this.#socket = undefined;
  }
}

/** The addon takes multiples of four seconds, at least eight and at most 960. */
function idleSeconds(seconds: number): number {
  return Math.min(IDLE_SECONDS_MAX, Math.max(SECONDS_STEP, Math.ceil(seconds / 4) * 4));
}
