/**
 * Everything that can be configured: one schema for file, environment and flags. Every limit has its unit in its name and
 * a default; the exchanges' own figures are the defaults of their sections. Keys are camelCase here and snake_case outside.
 * Bad case: a key that is read somewhere without standing here; then nobody can set it.
 */
import { z } from "zod";
import { EXCHANGES } from "../exchanges/mod.ts";
import { EXCHANGE_IDS, type ExchangeId, resolveExchangeId } from "../model/exchange_id.ts";

const MEBIBYTE = 1024 * 1024;

/** Exchanges that run unless others are chosen. */
const DEFAULT_EXCHANGES: ExchangeId[] = ["coinbase_exchange", "kraken", "binance"];

/** `[exchange:]BASE-QUOTE`; letters of any script, because exchanges list such. */
const SYMBOL = /^(?:(?<exchange>[a-z_]+):)?(?<instrument>[^\s:,-]+-[^\s:,-]+)$/u;

const exchangeId = z.preprocess(
  (value) => (typeof value === "string" ? (resolveExchangeId(value) ?? value) : value),
  z.enum(EXCHANGE_IDS),
);

const symbol = z
  .string()
  .transform((text) => text.replace(/[^:]+$/, (name) => name.toUpperCase()))
  .refine((text) => isSymbol(text), "must be BASE-QUOTE or exchange:BASE-QUOTE");

/** Integers come as numbers from TOML and as text from the environment and flags. */
function integer(options: { min: number; max: number; fallback: number }) {
  const { min, max, fallback } = options;
  const schema = z.number().int().min(min).max(max);
  return z.preprocess((value) => (isNumeric(value) ? Number(value) : value), schema).default(fallback);
}

/** Numbers that may have decimals. */
function decimal(options: { min: number; max: number; fallback: number }) {
  const { min, max, fallback } = options;
  return z
    .preprocess((value) => (isNumeric(value) ? Number(value) : value), z.number().min(min).max(max))
    .default(fallback);
}

/** An integer in a list. */
function integerItem({ min, max }: { min: number; max: number }) {
  return z.preprocess((value) => (isNumeric(value) ? Number(value) : value), z.number().int().min(min).max(max));
}

/** Lists come as arrays from TOML and separated by commas elsewhere. */
function list<Item extends z.ZodType>(item: Item, fallback: z.output<Item>[]) {
  const split = (value: unknown) => (typeof value === "string" ? splitList(value) : value);
  return z.preprocess(split, z.array(item)).default(fallback as never);
}

function url(protocols: readonly string[], fallback: string) {
  const isUrl = (text: string) => URL.canParse(text) && protocols.includes(new URL(text).protocol);
  return z
    .string()
    .refine(isUrl, `must be a URL that begins with ${protocols.join(" or ")}`)
    .default(fallback);
}

const WEBSOCKET_PROTOCOLS = ["wss:", "ws:"];

function exchangeSection(id: ExchangeId) {
  const { header } = EXCHANGES[id];
  const depths = header.depths.map(String).join(", ");
  const isUrl = (text: string) => URL.canParse(text) && WEBSOCKET_PROTOCOLS.includes(new URL(text).protocol);
  const websocket = z.string().refine(isUrl, `must be a URL that begins with ${WEBSOCKET_PROTOCOLS.join(" or ")}`);
  return z
    .strictObject({
      /** Canonical names. */
      instruments: list(symbol, [...header.defaultInstruments]),
      /** Tried in turn. */
      websocketUrls: list(websocket, [...header.websocketUrls]).pipe(z.array(z.string()).min(1)),
      restUrl: url(["https:", "http:"], header.restUrl),
      /** Levels per side, 0 = full. */
      depth: integer({ min: 0, max: 100_000, fallback: header.defaultDepth }).pipe(
        z.number().refine((depth) => header.depths.includes(depth), `must be one of ${depths}`),
      ),
      /** Levels per side asked of REST snapshots. */
      snapshotLevels: integer({ min: 0, max: 50_000, fallback: header.snapshotLevels }),
      /** Levels of both sides that a book image is made for; it doubles when a book outgrows it. */
      imageLevels: integer({ min: 64, max: 4_194_304, fallback: header.imageLevels }),
      idleMs: integer({ min: 1000, max: 3_600_000, fallback: header.timing.idleMs }),
      ackMs: integer({ min: 500, max: 600_000, fallback: header.timing.ackMs }),
      firstDataMs: integer({ min: 500, max: 600_000, fallback: header.timing.firstDataMs }),
      /** Levels per side that an audit asks of REST, 0 = all. */
      auditLevels: integer({ min: 0, max: 50_000, fallback: header.audit.levels }),
      /** An audit notes the socket's changes from so long before its request. */
      auditBeforeMs: integer({ min: 0, max: 600_000, fallback: header.audit.beforeMs }),
      /** The socket must have told within this time what a REST answer knows. */
      auditAfterMs: integer({ min: 100, max: 60_000, fallback: header.audit.afterMs }),
    })
    .prefault({});
}

const collectorSection = z
  .strictObject({
    /** Largest frame or REST body that is taken. */
    frameBytesMax: integer({ min: 65_536, max: 256 * MEBIBYTE, fallback: 64 * MEBIBYTE }),
    /** Private memory of a collector's kernel: books and scratch. */
    arenaBytes: integer({ min: 16 * MEBIBYTE, max: 1024 * MEBIBYTE, fallback: 192 * MEBIBYTE }),
    restTimeoutMs: integer({ min: 100, max: 120_000, fallback: 10_000 }),
    connectTimeoutMs: integer({ min: 100, max: 120_000, fallback: 10_000 }),
    /** Attempts to read the instrument list before the collector goes on without it. */
    metadataAttemptsMax: integer({ min: 1, max: 1000, fallback: 3 }),
    /** Instruments of one exchange at a time, those added at run time included. */
    instrumentsMax: integer({ min: 1, max: 3000, fallback: 500 }),
    reconnectBaseMs: integer({ min: 10, max: 60_000, fallback: 500 }),
    reconnectCapMs: integer({ min: 10, max: 600_000, fallback: 30_000 }),
    repairBaseMs: integer({ min: 10, max: 60_000, fallback: 500 }),
    repairCapMs: integer({ min: 10, max: 600_000, fallback: 30_000 }),
    /** After so long without a failure the delays begin anew. */
    healthyMs: integer({ min: 1000, max: 3_600_000, fallback: 60_000 }),
    /** A suspect book that nothing proved right for so long is repaired. */
    suspectMs: integer({ min: 1000, max: 3_600_000, fallback: 60_000 }),
    /** A refused subscription is tried again after about so long. */
    refusedMs: integer({ min: 1000, max: 3_600_000, fallback: 30_000 }),
    /** Frames of one instrument that wait for its REST snapshot. */
    bufferFramesMax: integer({ min: 1, max: 1_000_000, fallback: 5000 }),
    bufferBytesMax: integer({ min: 65_536, max: 1024 * MEBIBYTE, fallback: 16 * MEBIBYTE }),
    /** Each book is compared with REST so often, unless the exchange's budget takes longer; 0 = never. */
    auditPeriodMs: integer({ min: 0, max: 86_400_000, fallback: 60_000 }),
    /** Between the answer that shows a difference and the one that confirms it. */
    auditConfirmMs: integer({ min: 100, max: 60_000, fallback: 3000 }),
    /** Delay before a dead worker is started again; doubles up to the reconnect cap. */
    restartBaseMs: integer({ min: 10, max: 60_000, fallback: 500 }),
  })
  .prefault({});

const segmentSection = z
  .strictObject({
    /** Where segment files stand; empty = /dev/shm/alphapulse, or a folder of our own below the temporary directory. */
    directory: z.string().default(""),
    /** Table entries; each rescale uses one more. */
    instrumentCapacity: integer({ min: 8, max: 65_536, fallback: 256 }),
    deltaCapacity: integer({ min: 1024, max: 4_194_304, fallback: 65_536 }).pipe(powerOfTwo()),
    tradeCapacity: integer({ min: 1024, max: 4_194_304, fallback: 16_384 }).pipe(powerOfTwo()),
    /** Instruments of the exchange's image size that find room in a segment beside those that it begins with: added at run time. */
    spareInstruments: integer({ min: 0, max: 3000, fallback: 4 }),
    /** Bytes for all book images of a segment; 0 = as many as the instruments need, thrice, and the spare ones. */
    imageAreaBytes: integer({ min: 0, max: 1024 * MEBIBYTE, fallback: 0 }),
  })
  .prefault({});

const recordSection = z
  .strictObject({
    /** Where captures are written; empty = no recording. */
    directory: z.string().default(""),
    /** Compressed bytes of one capture file. */
    partBytesMax: integer({ min: 65_536, max: 2 ** 40, fallback: 256 * MEBIBYTE }),
    /** Bytes waiting for the disk beyond which the recording stops. */
    backlogBytesMax: integer({ min: MEBIBYTE, max: 2 ** 40, fallback: 64 * MEBIBYTE }),
  })
  .prefault({});

const positive = (fallback: number) => integer({ min: 1, max: 2 ** 40, fallback });

const gatewaySection = z
  .strictObject({
    /** Private memory of the gateway's kernel: replicas and scratch. */
    arenaBytes: integer({ min: 16 * MEBIBYTE, max: 1024 * MEBIBYTE, fallback: 256 * MEBIBYTE }),
    connectionsMax: positive(8192),
    connectionsPerAddressMax: positive(4096),
    attemptsPerAddressPerSecondMax: positive(500),
    requestsPerAddressPerSecondMax: positive(2000),
    fullBooksPerAddressPerSecondMax: positive(1),
    fullBooksMax: positive(4),
    recentTrades: integer({ min: 1, max: 65_536, fallback: 256 }),
    addressesMax: positive(65_536),
    messageBytesMax: positive(65_536),
    messagesPerSecondMax: positive(50),
    subscriptionsMax: positive(2048),
    matchesMax: positive(512),
    protocolErrorsMax: positive(10),
    backlogBytesMax: positive(131_072),
    losslessBytesMax: positive(1_048_576),
    backpressureBytesMax: positive(16_777_216),
    snapshotWindowBytes: positive(65_536),
    historyEntries: positive(4096).pipe(powerOfTwo()),
    viewKeepMs: positive(30_000),
    /** Levels a side that books can be subscribed with, 0 = all. */
    depths: list(integerItem({ min: 0, max: 10_000 }), [0, 10, 50, 100]),
    /** Least milliseconds between updates that books can be subscribed with, 0 = every change. */
    rates: list(integerItem({ min: 0, max: 60_000 }), [0, 100, 250, 1000]),
    idleSeconds: positive(60),
    /** How long clients may be sent away one after the other when it is told to stop; 0 = all at once. */
    drainMs: integer({ min: 0, max: 600_000, fallback: 200 }),
    batchRecords: positive(1024),
    joinsPerTurn: positive(4),
    encodeBytes: positive(131_072),
    encodeBytesMax: positive(8_388_608),
    heartbeatStaleMs: positive(5000),
  })
  .prefault({});

/** Currencies that count as one: `USD=USDC`. */
const currencies = z
  .string()
  .regex(/^[^\s=,]+(=[^\s=,]+)+$/, "must be currencies with = between them, e.g. USD=USDC")
  .transform((text) => text.toUpperCase().split("="));

function switched(fallback: boolean) {
  const read = (value: unknown) => (value === "true" || value === "false" ? value === "true" : value);
  return z.preprocess(read, z.boolean()).default(fallback);
}

function takerFee(id: ExchangeId) {
  return decimal({ min: 0, max: 9999, fallback: EXCHANGES[id].header.takerFeeBps }).pipe(
    z.number().refine((bps) => Number.isInteger(Math.round(bps * 1e8) / 1e4), "must have at most four decimals"),
  );
}

const arbitrageSection = z
  .strictObject({
    /** Books of the same pair are compared across exchanges. */
    enabled: switched(true),
    /** Taker fees, basis points. The defaults are those of small accounts as far as they are known: set your own. */
    feesBps: z
      .strictObject({
        coinbase_exchange: takerFee("coinbase_exchange"),
        kraken: takerFee("kraken"),
        binance: takerFee("binance"),
        binance_us: takerFee("binance_us"),
      })
      .prefault({}),
    /** Smaller profits are none, basis points of what is paid. */
    profitBpsMin: decimal({ min: 0, max: 10_000, fallback: 0 }),
    /** A book whose last event is older counts for nothing. */
    ageMsMax: integer({ min: 1, max: 3_600_000, fallback: 2000 }),
    /** What changes is told at most so often. */
    reportMs: integer({ min: 0, max: 3_600_000, fallback: 100 }),
    /** Levels of a side that are looked at. */
    levelsMax: integer({ min: 1, max: 10_000, fallback: 50 }),
    /** Quotes that count as the same, e.g. USD=USDC; none by default. */
    equivalents: list(currencies, []),
    /** Circles through three books of one exchange, too. */
    triangular: switched(false),
  })
  .prefault({});

const accessSection = z
  .strictObject({
    /** Keys that open the stream, `name:key`, keys of at least 16 characters; none = no key is needed. */
    keys: list(z.string().regex(/^[\w.-]+:\S{16,}$/, "must be name:key, the key of at least 16 characters"), []),
    /** Origins of pages beyond the gateway's own and those of this machine; * = any, null = local files. */
    origins: list(z.string().min(1), []),
    /** Addresses or networks of proxies whose X-Forwarded-For is believed. */
    proxies: list(z.string().min(1), []),
    /** Certificate chain and key, PEM; both or none. */
    tlsCertFile: z.string().default(""),
    tlsKeyFile: z.string().default(""),
  })
  .prefault({});

/** Addresses of the brokers of one cluster. */
const brokers = list(
  z
    .string()
    .refine(
      (text) =>
        URL.canParse(text) && ["nats:", "tls:"].includes(new URL(text).protocol) && new URL(text).hostname !== "",
      "must be a URL that begins with nats: or tls:",
    ),
  [],
);

const natsSection = z
  .strictObject({
    /** Collectors publish to these brokers; none = they do not. */
    publish: brokers,
    /** The gateway reads from these brokers instead of segments; none = segments. */
    from: brokers,
    /** TLS even where the broker does not ask for it; `tls://` says the same. */
    tls: switched(false),
    /** PEM: whom we trust, and who we are. */
    tlsCaFile: z.string().default(""),
    tlsCertFile: z.string().default(""),
    tlsKeyFile: z.string().default(""),
    /** A .creds file, or the seed of an nkey, or names. */
    credentialsFile: z.string().default(""),
    nkeySeedFile: z.string().default(""),
    user: z.string().default(""),
    password: z.string().default(""),
    token: z.string().default(""),
    /** What the broker keeps, when we make its streams. */
    historySeconds: integer({ min: 1, max: 86_400, fallback: 300 }),
    historyBytesMax: integer({ min: MEBIBYTE, max: 2 ** 45, fallback: 1024 * MEBIBYTE }),
    storage: z.enum(["file", "memory"]).default("file"),
    replicas: integer({ min: 1, max: 5, fallback: 1 }),
    /** A book that changed is published whole at most after so long; one at rest four times as rarely. */
    snapshotMs: integer({ min: 100, max: 3_600_000, fallback: 30_000 }),
    /** Bytes sent and not yet stored by the broker; while there are more, nothing more is read from the collector's ring. */
    windowBytes: integer({ min: 65_536, max: 1024 * MEBIBYTE, fallback: 8 * MEBIBYTE }),
    beatMs: integer({ min: 50, max: 10_000, fallback: 250 }),
    /** A collector that was not heard for so long, or whose records are so much behind, counts for nothing. */
    staleMs: integer({ min: 200, max: 60_000, fallback: 1500 }),
    /** How long another collector that is behind may take to catch up before its book is taken as it is. */
    patienceMs: integer({ min: 0, max: 60_000, fallback: 1000 }),
    /** Private memory of the receiver's kernel: a book for each collector of an instrument, and the merged one. */
    arenaBytes: integer({ min: 16 * MEBIBYTE, max: 1024 * MEBIBYTE, fallback: 256 * MEBIBYTE }),
    /** Records of one instrument and collector that wait for a snapshot, or to be matched. */
    waitingRecordsMax: integer({ min: 16, max: 1_000_000, fallback: 4096 }),
  })
  .prefault({});

const emulatorSection = z
  .strictObject({
    /** Factor on all event rates of the synthetic market. */
    rate: decimal({ min: 0.01, max: 10_000, fallback: 1 }),
    seed: integer({ min: 0, max: 2 ** 32 - 1, fallback: 1 }),
  })
  .prefault({});

/** The schema. */
export const CONFIG_SCHEMA = z.strictObject({
  /** Address of the gateway. */
  host: z.string().min(1).default("127.0.0.1"),
  /** Port of the gateway; 0 = any free one. */
  port: integer({ min: 0, max: 65_535, fallback: 8765 }),
  kernel: z.enum(["wasm", "twin"]).default("wasm"),
  /** `auto`: text for people when the log goes to a terminal, JSON lines otherwise. */
  logFormat: z.enum(["auto", "json", "pretty"]).default("auto"),
  /** Lines below this level are not written. */
  logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** Exchanges that run. */
  exchange: list(exchangeId, DEFAULT_EXCHANGES)
    .pipe(z.array(z.enum(EXCHANGE_IDS)).min(1))
    .transform((ids) => [...new Set(ids)]),
  /** Instruments instead of those of the exchange sections: `BASE-QUOTE` for all that run, `exchange:BASE-QUOTE` for one. */
  symbols: list(symbol, []),
  exchanges: z
    .strictObject({
      coinbase_exchange: exchangeSection("coinbase_exchange"),
      kraken: exchangeSection("kraken"),
      binance: exchangeSection("binance"),
      binance_us: exchangeSection("binance_us"),
    })
    .prefault({}),
  collector: collectorSection,
  segment: segmentSection,
  record: recordSection,
  gateway: gatewaySection,
  access: accessSection,
  arbitrage: arbitrageSection,
  nats: natsSection,
  emulator: emulatorSection,
});

/** A complete configuration. */
export type Config = z.output<typeof CONFIG_SCHEMA>;

/** What is configured for one exchange. */
export type ExchangeConfig = Config["exchanges"][ExchangeId];

/** Splits `a, b c` at commas and spaces. */
function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part.length > 0);
}

function isSymbol(text: string): boolean {
  const match = SYMBOL.exec(text);
  const exchange = match?.groups?.exchange;
  return match !== null && (exchange === undefined || resolveExchangeId(exchange) !== undefined);
}

function isNumeric(value: unknown): boolean {
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value);
}

function powerOfTwo() {
  return z.number().refine((value) => Number.isInteger(Math.log2(value)), "must be a power of two");
}
