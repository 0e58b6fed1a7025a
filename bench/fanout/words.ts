/** The words by which the fan-out benchmark's processes are started and talk. Bad case: none, these are types and names. */

/** First argument of a process of this benchmark; the second is its role. */
export const FANOUT_WORD = "fanout-process";

/** Who serves: this project's gateway, or a server that sends each delta to each client by itself. */
export const SERVERS = ["ours", "uWebSockets.js send", "ws broadcast"] as const;
/** A server under test. */
export type ServerName = (typeof SERVERS)[number];

/** The instrument that is served. */
export const INSTRUMENT = "coinbase_exchange:BTC-USD";
/** As the exchange calls it. */
export const NATIVE = "BTC-USD";

/** To a server. */
export type ServerOrder = { order: "burst"; events: number; perSecond: number } | { order: "report" };
/** From a server: where it listens; the version behind a burst; CPU time of its serving thread and its book. */
export type ServerAnswer =
  | { answer: "listening"; port: number }
  | { answer: "fed"; version: number }
  | ({ answer: "report"; cpuNs: number; rss: number } & ServerState);

/** A server's book, and how its slowest client fares. */
export type ServerState = {
  version: number;
  hash: number;
  /** Bytes that wait for the client for which most do. */
  worstBytes: number;
  conflatedUpdates: number;
  /** Times that a client was found slow. */
  slowTimes: number;
};

/** To the clients. */
export type ClientsOrder =
  | { order: "connect"; server: ServerName; port: number; count: number }
  | { order: "begin"; server: ServerName }
  | { order: "finish"; server: ServerName; version: number };
/** From the clients: all connected; or all have the version, with what each of them received since `begin`. */
export type ClientsAnswer =
  | { answer: "connected"; server: ServerName; version: number }
  | { answer: "finished"; server: ServerName; version: number; hash: number; bytes: number; messages: number }
  | { answer: "failed"; reason: string };
