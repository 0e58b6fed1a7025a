/**
 * What the `stats` channel says once a second: rates and totals of the gateway, of each exchange, of each instrument, and
 * of the clients that fare worst. Types and constants only: clients in browsers carry no schema library.
 * Bad case: many instruments; the message grows with them, which is why it goes only to those who ask.
 */

/** How a collector's connection stands, as far as its segment tells. */
export const CONNECTION_WORDS = [
  "initialising",
  "connecting",
  "connected",
  "disconnected",
  "stale",
  "superseded",
  "closed",
] as const;
/** A state of a collector's connection. */
export type ConnectionWord = (typeof CONNECTION_WORDS)[number];
/** The hops of an event: exchange's clock to our socket; decoding a frame; socket to ring; ring to gateway; gateway to transport. */
export const HOPS = ["exchange_received", "decode", "received_published", "published_read", "read_sent"] as const;
/** One of them. */
export type HopWord = (typeof HOPS)[number];
/** How long a hop took during the last 10 to 20 seconds, µs; within 2 %. */
export type HopStats = {
  hop: HopWord;
  /** Events, or frames for `decode`. */
  count: number;
  p50: number;
  p95: number;
  p99: number;
  p999: number;
  max: number;
};
/** Rates of one exchange (one segment). */
export type ExchangeStats = {
  exchange: string;
  /** Shard of the exchange, 0 when there is one only. */
  shard: number;
  connection: ConnectionWord;
  /** Exchange frames per second. */
  framesPerSecond: number;
  /** Bytes per second of those frames. */
  bytesInPerSecond: number;
  /** Delta records per second. */
  recordsPerSecond: number;
  instruments: number;
  synced: number;
  /** Our clock minus the exchange's as far as it is proved, µs; it is taken off `exchange_received`. */
  clockOffsetUs: number;
  /** Those that something was measured of. */
  hops: HopStats[];
  /** Since the segment was created. */
  totals: {
    frames: number;
    bytesIn: number;
    records: number;
    bookUpdates: number;
    trades: number;
    checksumOk: number;
    checksumBad: number;
    gaps: number;
    resyncs: number;
    reconnects: number;
    decodeErrors: number;
    /** Delta and trade records that this gateway lost by being too slow. */
    lost: number;
    /** Checks that failed in this gateway's books, and in those of its clients by what they said, since the gateway started. */
    replicaFailures: number;
    clientFailures: number;
  };
};
/** Rates of one instrument. */
export type InstrumentStats = {
  instrument: string;
  /** Book events per second. */
  updatesPerSecond: number;
  tradesPerSecond: number;
  /** Encoded bytes per second of the binary form, counted once whatever the number of clients. */
  wireBytesPerSecond: number;
  /** Times that this gateway's book failed version chain, hash or consistency since start. */
  replicaFailures: number;
  /** Times that clients said that theirs did. */
  clientFailures: number;
};
/** How a client keeps up: reads as fast as it is sent; gets conflated updates; waits for a reset to be read; is closed. */
export const CLIENT_STATES = ["live", "conflated", "reset", "closing"] as const;
/** A state of a client. */
export type ClientStateWord = (typeof CLIENT_STATES)[number];
/** One client that is slow, or was. */
export type ClientStats = {
  /** Number of the connection since the gateway started, as in its log. */
  client: number;
  state: ClientStateWord;
  /** Since when it is in that state, Unix ms. */
  sinceMs: number;
  /** Bytes that wait for it. */
  bufferedBytes: number;
  subscriptions: number;
  /** Times that it was taken off its topics, since it connected. */
  slowTimes: number;
  /** Conflated updates that it was given. */
  conflatedUpdates: number;
  /** Subscriptions that began anew because it was slow, or by our fault. */
  resets: number;
  /** Messages that the transport dropped: our fault. */
  dropped: number;
  protocolErrors: number;
};
/** Once a second to every subscriber of `stats`. Rates are over the last second, payload bytes without headers. */
export type StatsMessage = {
  type: "stats";
  /** Unix ms. */
  atMs: number;
  gateway: {
    uptimeMs: number;
    kernel: string;
    transport: string;
    clients: number;
    bytesInPerSecond: number;
    bytesOutPerSecond: number;
    /** Frames delivered per second: once per receiving client. */
    framesOutPerSecond: number;
    /** Frames encoded per second: once per event batch. */
    wireFramesPerSecond: number;
    /** Clients that are not `live` at this moment. */
    slowClients: number;
    totals: {
      bytesIn: number;
      bytesOut: number;
      framesOut: number;
      /** Times that a client was taken off its topics. */
      slowTimes: number;
      /** Conflated updates, for slow clients and for resumes. */
      conflatedUpdates: number;
      /** Reconnects that went on where they had stopped. */
      resumes: number;
      resets: number;
      dropped: number;
      protocolErrors: number;
    };
  };
  /** The ten clients that fare worst, worst first; none when all are well and always were. */
  clients: ClientStats[];
  exchanges: ExchangeStats[];
  instruments: InstrumentStats[];
};
