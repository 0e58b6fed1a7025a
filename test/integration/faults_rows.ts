/**
 * The faults of the three storms, row after row: what comes together stands in one row. Between them they hold every kind
 * on every exchange where it exists. Bad case: a kind that is added to the emulator and stands in no row; a test says so.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { Planned } from "./faults_plan.ts";

type Rows = readonly (readonly Planned[])[];

/** Forms that a right client reads, or sees at once, and the exchange's own doings. */
const FORMS: Rows = [
  [{ kind: "duplicate", times: 3 }],
  [{ kind: "delay", ms: 300 }],
  [{ kind: "drift_unknown", times: 2 }],
  [{ kind: "drift_reordered", for_frames: 5 }],
  [{ kind: "drift_extra", for_frames: 5 }],
  [{ kind: "drift_zeros", for_frames: 5 }],
  [{ kind: "drift_renamed", for_frames: 4 }],
  [],
  [{ kind: "auction", for_ms: 800 }],
  [],
  [{ kind: "sequence_reset" }],
  [{ kind: "drift_decimals" }],
];
const BINANCE_INSTRUMENT: Rows = [
  [{ kind: "drop" }],
  [{ kind: "reorder" }],
  [{ kind: "drift_retyped", for_frames: 4 }],
  [],
  // A lost event, and the snapshot that would repair it fails in its own way.
  [{ kind: "rest_slow", ms: 300 }, { kind: "drop" }],
  [{ kind: "rest_stale", age_ms: 1_000 }, { kind: "drop" }],
  [{ kind: "rest_error" }, { kind: "drop" }],
  [{ kind: "rest_timeout" }, { kind: "drop" }],
  [{ kind: "rest_truncated", abrupt: true }, { kind: "drop" }],
  [{ kind: "rest_429", retry_after_s: 1 }, { kind: "drop" }],
  [],
  [{ kind: "rest_418", retry_after_s: 1 }, { kind: "drop" }],
  [],
  ...FORMS,
];
/** What befalls audits, of whichever book comes first: no false alarm may come of it. */
export const AUDIT_ROWS: Rows = [
  [
    { kind: "rest_slow", ms: 300, instrument: undefined },
    { kind: "rest_stale", age_ms: 2_500, instrument: undefined },
    { kind: "rest_error", instrument: undefined },
    { kind: "rest_truncated", instrument: undefined },
    { kind: "rest_429", retry_after_s: 1, instrument: undefined },
    { kind: "rest_418", retry_after_s: 1, instrument: undefined },
    { kind: "rest_timeout", instrument: undefined },
  ],
];
/** Faults of one instrument, which the exchange's rules show or a right client need not notice. */
export const INSTRUMENT_ROWS: Readonly<Record<ExchangeId, Rows>> = {
  coinbase_exchange: [
    [{ kind: "snapshot_midstream" }],
    // The next subscription is acknowledged and silent: the restart of the numbers asks for one.
    [{ kind: "silent_subscription" }, { kind: "sequence_reset" }],
    [],
    [],
    ...FORMS,
  ],
  kraken: [
    [{ kind: "drop" }],
    [{ kind: "reorder" }],
    [{ kind: "wrong_checksum" }],
    [{ kind: "level_missing", where: "top" }],
    [{ kind: "corrupt_digit" }],
    [{ kind: "snapshot_midstream" }],
    [{ kind: "silent_subscription" }, { kind: "wrong_checksum" }],
    [],
    [{ kind: "drift_retyped", for_frames: 4 }],
    [],
    [{ kind: "checksum_zero", for_frames: 4 }],
    [],
    ...FORMS,
  ],
  binance: BINANCE_INSTRUMENT,
  binance_us: BINANCE_INSTRUMENT,
};

const CUT: Planned = { kind: "cut", instrument: undefined };
const EVERYWHERE: Rows = [
  [{ kind: "truncate", instrument: undefined }],
  [{ kind: "corrupt_bit", times: 2, instrument: undefined }],
  [{ kind: "corrupt_byte", times: 2, instrument: undefined }],
  [{ kind: "close", instrument: undefined }],
  [CUT, { kind: "connect_refused", instrument: undefined }],
  [CUT, { kind: "connect_silent", instrument: undefined }],
  [{ kind: "half_open", instrument: undefined }],
  [],
  [],
  [{ kind: "age_close", age_ms: 400, for_ms: 900, instrument: undefined }],
  [CUT, { kind: "subscribe_dropped", burst: 0, requests_per_second: 0.01, for_ms: 1_500, instrument: undefined }],
  [],
  [CUT, { kind: "drop", frames: "reply", instrument: undefined }],
  // The second attempt within the time is one too many.
  [
    { kind: "connection_limit", attempts: 1, per_ms: 2_000, ban_ms: 0, for_ms: 2_300, instrument: undefined },
    CUT,
    { ...CUT, later_ms: 700 },
  ],
  [],
  [{ kind: "silence", for_ms: 1_000, instrument: undefined }],
  [{ kind: "delay", ms: 400, instrument: undefined }],
  [{ kind: "close", code: 1012, instrument: undefined }],
];
const IN_BAND: Rows = [[CUT, { kind: "drop", frames: "snapshot", instrument: undefined }]];
/** Its streams are acknowledged and only the trades come, until the next connection. */
const SILENT: Rows = [[CUT, { kind: "silent_subscription" }], [CUT]];
const SHUTDOWN: Rows = [[{ kind: "server_shutdown", close_after_ms: 400, instrument: undefined }]];
/** Faults of whole connections. */
export const CONNECTION_ROWS: Readonly<Record<ExchangeId, Rows>> = {
  coinbase_exchange: [...EVERYWHERE, ...IN_BAND],
  kraken: [
    ...EVERYWHERE,
    ...IN_BAND,
    [{ kind: "maintenance", close_after_ms: 200, for_ms: 700, instrument: undefined }],
  ],
  binance: [...EVERYWHERE, ...SILENT, ...SHUTDOWN],
  binance_us: [...EVERYWHERE, ...SILENT],
};

const BINANCE_UNSEEN: Rows = [
  [{ kind: "level_missing" }],
  [{ kind: "corrupt_digit" }],
  [{ kind: "silence", for_ms: 600 }],
];
/** Faults that no rule shows at once. */
export const UNSEEN_ROWS: Readonly<Record<ExchangeId, Rows>> = {
  coinbase_exchange: [
    [{ kind: "drop" }],
    [{ kind: "level_missing" }],
    [{ kind: "corrupt_digit" }],
    [{ kind: "reorder" }],
    [{ kind: "drift_retyped", for_frames: 2 }],
    [{ kind: "silence", for_ms: 600 }],
  ],
  kraken: [[{ kind: "level_missing", where: "deep" }], [{ kind: "silence", for_ms: 600 }]],
  binance: BINANCE_UNSEEN,
  binance_us: BINANCE_UNSEEN,
};
