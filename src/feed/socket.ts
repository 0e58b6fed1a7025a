/**
 * The WebSocket of an exchange, as small as a collector needs it: whole frames as bytes, any sign of life, one close.
 * After `close` or `drop` nothing is called any more, so that a replaced socket cannot speak into its successor's books.
 * Bad case: a server that sends a frame above the limit; the socket is closed with 1009 and the reason says so.
 */
import { type RawData, WebSocket } from "ws";

/** What a socket tells. */
export type SocketHandlers = {
  readonly opened: () => void;
  /** A whole frame; the bytes are valid during the call only. */
  readonly frame: (bytes: Buffer, isBinary: boolean) => void;
  /** A ping or pong of the server. */
  readonly alive: () => void;
  /** It is over, cleanly or not; called once. */
  readonly closed: (reason: string) => void;
};

/** What a collector does with a socket. */
export type FeedSocket = {
  readonly send: (text: string) => void;
  readonly ping: () => void;
  /** Closes and forgets the handlers. */
  readonly drop: () => void;
};

/** Opens a socket. */
export type SocketFactory = (url: string, handlers: SocketHandlers, limits: { frameBytesMax: number }) => FeedSocket;

const CLOSE_GOING_AWAY = 1001;
const CLOSE_PATIENCE_MS = 500;

/** Sockets over `ws`; no compression, pings are answered by the library. */
export const openWebSocket: SocketFactory = (url, handlers, { frameBytesMax }) => {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: frameBytesMax, followRedirects: true });
  let isOver = false;
  let lastError: Error | undefined;
  const finish = (reason: string) => {
    if (!isOver) {
      isOver = true;
      handlers.closed(reason);
    }
  };
  socket.on("open", () => !isOver && handlers.opened());
  socket.on("message", (content: RawData, isBinary: boolean) => {
    if (!isOver) {
      handlers.frame(asBuffer(content), isBinary);
    }
  });
  socket.on("ping", () => !isOver && handlers.alive());
  socket.on("pong", () => !isOver && handlers.alive());
  socket.on("error", (error) => {
    lastError = error;
  });
  socket.on("close", (code, reason) => {
    const said = reason.length > 0 ? ` ${reason.toString("utf8")}` : "";
    finish(lastError === undefined ? `closed with ${code}${said}` : lastError.message);
  });
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(text);
      }
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) {
        socket.ping();
      }
    },
    drop: () => {
      isOver = true;
      if (socket.readyState === WebSocket.OPEN) {
        socket.close(CLOSE_GOING_AWAY);
        setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS).unref();
      } else {
        socket.terminate();
      }
    },
  };
};

function asBuffer(content: RawData): Buffer {
  if (Buffer.isBuffer(content)) {
    return content;
  }
  return Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content);
}
