/**
 * Every limit of the gateway, with its unit and default. Bad case: a limit per client at or above the transport's own:
 * the transport would drop messages before the gateway takes the client off its topics; refused at start.
 */

/** Limits of a gateway. Each has a default; a number must be positive. */
export type GatewayLimits = {
  /** Connections at the same time; more are refused with 503. */
  readonly connectionsMax: number;
  /** Bytes of one client message; a larger one closes the connection. */
  readonly messageBytesMax: number;
  /** Messages per second of one client, averaged over ten seconds. */
  readonly messagesPerSecondMax: number;
  /** Channel and instrument pairs of one client. */
  readonly subscriptionsMax: number;
  /** Instruments that the patterns of one message may match. */
  readonly matchesMax: number;
  /** Protocol errors of one connection before it is closed with 1008. */
  readonly protocolErrorsMax: number;
  /** Bytes waiting for one client; above, what is conflated leaves its topics until it has read them. */
  readonly backlogBytesMax: number;
  /** Bytes waiting for one client up to which lossless subscriptions stay; above, they are reset. */
  readonly losslessBytesMax: number;
  /** Bytes that the transport keeps for one client before it drops; must be well above losslessBytesMax. */
  readonly backpressureBytesMax: number;
  /** Bytes waiting for a client below which the next snapshot is begun. */
  readonly snapshotWindowBytes: number;
  /** A connection without traffic for so long is pinged, then closed. */
  readonly idleSeconds: number;
  /** Records read from one ring in one turn of the event loop. */
  readonly batchRecords: number;
  /** Replicas joined in one turn. */
  readonly joinsPerTurn: number;
  /** Bytes of the encode buffer of one instrument at first; it grows when one event needs more. */
  readonly encodeBytes: number;
  /** Bytes up to which it grows. */
  readonly encodeBytesMax: number;
  /** A producer whose heartbeat is older counts as stale. */
  readonly heartbeatStaleMs: number;
  /** Changes that a view remembers for conflated updates and resumes; a power of two. */
  readonly historyEntries: number;
  /** A view that nobody subscribes any more is kept for those who come back. */
  readonly viewKeepMs: number;
  /** Connections at the same time from one address. */
  readonly connectionsPerAddressMax: number;
  /** Attempts to connect from one address per second, averaged over ten seconds. */
  readonly attemptsPerAddressPerSecondMax: number;
  /** Plain requests from one address per second, averaged over ten seconds; more are refused with 429. */
  readonly requestsPerAddressPerSecondMax: number;
  /** Whole books (`depth=full`) to one address per second, averaged over ten seconds. */
  readonly fullBooksPerAddressPerSecondMax: number;
  /** Whole books that are being sent at the same time. */
  readonly fullBooksMax: number;
  /** Trades of each instrument that are remembered for REST. */
  readonly recentTrades: number;
  /** Addresses that are remembered for that; the oldest idle ones go first. */
  readonly addressesMax: number;
};

/** What the stream can be subscribed with. */
export type ViewSets = {
  /** Levels a side, 0 = all. */
  readonly depths: readonly number[];
  /** Milliseconds between updates at least, 0 = every change. */
  readonly rates: readonly number[];
};

/** The default sets. */
export const VIEW_SETS: ViewSets = { depths: [0, 10, 50, 100], rates: [0, 100, 250, 1000] };

/** The defaults. */
export const GATEWAY_LIMITS: GatewayLimits = {
  connectionsMax: 8192,
  messageBytesMax: 65_536,
  messagesPerSecondMax: 50,
  subscriptionsMax: 2048,
  matchesMax: 512,
  protocolErrorsMax: 10,
  backlogBytesMax: 131_072,
  losslessBytesMax: 1_048_576,
  backpressureBytesMax: 16_777_216,
  snapshotWindowBytes: 65_536,
  idleSeconds: 60,
  batchRecords: 1024,
  joinsPerTurn: 4,
  encodeBytes: 131_072,
  encodeBytesMax: 8_388_608,
  heartbeatStaleMs: 2000,
  historyEntries: 4096,
  viewKeepMs: 30_000,
  connectionsPerAddressMax: 4096,
  attemptsPerAddressPerSecondMax: 500,
  requestsPerAddressPerSecondMax: 2000,
  fullBooksPerAddressPerSecondMax: 1,
  fullBooksMax: 4,
  recentTrades: 256,
  addressesMax: 65_536,
};

/**
 * Completes limits by the defaults and checks them.
 * @throws RangeError naming the limit
 */
export function completeLimits(given: Partial<GatewayLimits> = {}): GatewayLimits {
  const limits = { ...GATEWAY_LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0) || !Number.isFinite(value)) {
      throw new RangeError(`Cannot start the gateway: ${name} must be a positive number, was ${value}`);
    }
  }
  const { backpressureBytesMax: transport, losslessBytesMax, backlogBytesMax } = limits;
  if (transport < 2 * losslessBytesMax) {
    throw new RangeError(
      `Cannot start the gateway: backpressureBytesMax must be at least twice losslessBytesMax (${losslessBytesMax}), was ${transport}`,
    );
  }
  if (losslessBytesMax < backlogBytesMax) {
    throw new RangeError(
      `Cannot start the gateway: losslessBytesMax must be at least backlogBytesMax (${backlogBytesMax}), was ${losslessBytesMax}`,
    );
  }
  if (!Number.isInteger(Math.log2(limits.historyEntries))) {
    throw new RangeError(
      `Cannot start the gateway: historyEntries must be a power of two, was ${limits.historyEntries}`,
    );
  }
  return limits;
}
