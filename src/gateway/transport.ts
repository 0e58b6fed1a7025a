/**
 * What the gateway needs from a WebSocket and HTTP server, drawn as one interface so that the server behind it can be
 * exchanged: uWebSockets.js (uws_transport.ts), or `ws` where its addon cannot load (ws_transport.ts).
 * Order is part of the contract: what is sent or published to a connection arrives in the order of the calls, whatever
 * mixture of `send` and topics; a connection gets what was published while it was subscribed, even when it unsubscribes
 * before the transport has written it. Bad case: a transport that drops silently; `dropped` must tell.
 */

/** A message: text, or bytes that the transport copies before the call returns (they may lie in shared memory). */
export type Payload = string | Uint8Array;

/** One client, from `open` to `close`. Using it after `close` does nothing. */
export interface Connection {
  /** Unique within the transport. */
  readonly id: number;
  /** The chosen subprotocol, empty when the client asked for none. */
  readonly protocol: string;
  /** Address of the client, as `upgrade` answered. */
  readonly remote: string;
  /** Sends one message, binary when it is bytes. */
  send(payload: Payload): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Bytes accepted and not yet handed to the operating system. */
  bufferedBytes(): number;
  /** Closes with a code and a reason; what was sent before still goes out. */
  close(code: number, reason: string): void;
}

/** From where and in whose name a request comes. */
export type RequestSource = {
  /** Of the peer: the client, or a proxy. */
  readonly address: string;
  /** The `host` header. */
  readonly host: string;
  /** As the browser sent it, empty when there is none. */
  readonly origin: string;
  /** The `x-forwarded-for` header, empty when there is none. */
  readonly forwardedFor: string;
  /** The `authorization` header, empty when there is none. */
  readonly authorization: string;
  /** The `x-api-key` header, empty when there is none. */
  readonly apiKey: string;
  /** As sent, without the question mark. */
  readonly query: string;
};

/** A request to open a WebSocket. */
export type UpgradeRequest = RequestSource & {
  readonly path: string;
  /** Subprotocols that the client offers, in its order. */
  readonly protocols: readonly string[];
};
/** Accept with a subprotocol (empty = none) and the client's own address, or refuse with an HTTP status. */
export type UpgradeAnswer =
  | { readonly protocol: string; readonly remote: string }
  | { readonly status: number; readonly body: string };

/** Where the certificate chain and its key stand, PEM. */
export type TlsFiles = { readonly certFile: string; readonly keyFile: string };

/** A plain HTTP request. */
export type HttpRequest = RequestSource & {
  /** Upper case. */
  readonly method: string;
  /** As sent, before decoding, without the query. */
  readonly path: string;
  /** The `if-none-match` header, empty when there is none. */
  readonly ifNoneMatch: string;
  /** The `content-type` header, empty when there is none. */
  readonly contentType: string;
  /** Empty for GET and HEAD, and when it is longer than `bodyBytesMax`. It stays valid after the call. */
  readonly body: Uint8Array;
  /** The body was longer than `bodyBytesMax`. The connection ends with the answer. */
  readonly isTooLong: boolean;
};

/**
 * A body that is sent part by part, as the client reads. Parts are copied before the next one is asked for. `return` is
 * called when the client is gone or reads nothing for ten seconds; parts that the producer throws on end the connection.
 */
export type BodyParts = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The answer to a request. `content-length` is the transport's. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | BodyParts;
};

/** What the gateway does about events of the transport. None of them may throw. */
export interface TransportHandlers {
  upgrade(request: UpgradeRequest): UpgradeAnswer;
  open(connection: Connection): void;
  /** A message; the bytes are valid during the call only. `text` is false for binary messages. */
  message(connection: Connection, bytes: Uint8Array, text: boolean): void;
  /** The connection's buffer became smaller. */
  drain(connection: Connection): void;
  /** A message was not sent, because the transport's own limit was reached. */
  dropped(connection: Connection): void;
  close(connection: Connection, code: number): void;
  /** Answers at once or later; a client that is gone by then gets nothing. A promise that rejects becomes a bare 500. */
  request(request: HttpRequest): HttpAnswer | Promise<HttpAnswer>;
}

/** Bytes of a request's body that are read unless something else is asked. */
export const BODY_BYTES_MAX = 65_536;

/** How to listen. */
export type ListenOptions = {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Paths that are WebSockets; everything else is plain HTTP. */
  readonly webSocketPaths: readonly string[];
  /** Larger messages of a client close its connection. */
  readonly messageBytesMax: number;
  /** Bytes of a request's body that are read. Default 65,536. */
  readonly bodyBytesMax?: number;
  /** The transport drops what would go beyond it; far above the gateway's own limit. */
  readonly backpressureBytesMax: number;
  /** A connection without any traffic is pinged and then closed. */
  readonly idleSeconds: number;
  /** Absent = plain. */
  readonly tls?: TlsFiles;
  readonly handlers: TransportHandlers;
};

/** A listening server. */
export interface TransportServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Sends one message to every subscriber of a topic. */
  publish(topic: string, payload: Payload): void;
  /** Stops listening and closes every connection with 1001; forcefully after a short while. */
  close(): Promise<void>;
}

/** A server that can be started. */
export interface Transport {
  /** Shown in statistics and in the log: `uwebsockets`, `ws`. */
  readonly name: string;
  /**
   * @throws ConnectionError when the port is taken or the host cannot be bound
   * @throws ConfigError when certificate or key cannot be used
   */
  listen(options: ListenOptions): Promise<TransportServer>;
}
