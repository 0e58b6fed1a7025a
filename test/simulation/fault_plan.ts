/**
 * What goes wrong in one world: a fault script made from the seed. Each exchange lives through stretches of time: in some
 * every instrument meets one fault of its own at a time of its own, in others something befalls the whole connection, and
 * what follows it. Kinds take turns by the seed, so that a few dozen seeds hold every kind on every exchange.
 * Bad case: two faults on one instrument so close that a repair could be either's; stretches keep them apart.
 */
import { FAULT_KIND_NAMES, FAULT_KINDS, type FaultKind } from "../../src/emulator/mod.ts";
import { Random } from "../../src/emulator/random.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { namesOf } from "./instruments.ts";

/** A rule as it stands in a fault script. */
export type PlannedRule = Readonly<Record<string, unknown>> & {
  readonly kind: FaultKind;
  readonly exchange: ExchangeId;
};

/** The script of a world. */
export type FaultPlan = {
  readonly rules: readonly PlannedRule[] /** After this nothing is begun any more, ms. */;
  readonly endMs: number;
};

/** Until everything is connected. */
const FIRST_MS = 12_000;
const STRETCH_MS = 28_000;
/** Whether a stretch is one of the connection. */
const STRETCHES = [false, true, false, true, false, true, false];
/** Part of a stretch in which its faults begin. */
const BEGIN_SHARE = 0.5;
const SECOND_MS = 1000;

const ON_CONNECTION: readonly FaultKind[] = [
  "half_open",
  "close",
  "cut",
  "server_shutdown",
  "age_close",
  "maintenance",
  "subscribe_dropped",
  "connection_limit",
  "connect_refused",
  "connect_silent",
  "silent_subscription",
];
const REST_KINDS: readonly FaultKind[] = FAULT_KIND_NAMES.filter((kind) => kind.startsWith("rest_"));
const IN_BAND: readonly ExchangeId[] = ["coinbase_exchange", "kraken"];

/** Makes the script of a seed. */
export function planFaults(seed: number): FaultPlan {
  const rules = EXCHANGE_IDS.flatMap((exchange, index) => planExchange(seed, exchange, index));
  return { rules, endMs: FIRST_MS + STRETCHES.length * STRETCH_MS };
}

function planExchange(seed: number, exchange: ExchangeId, index: number): PlannedRule[] {
  const random = new Random(seed, `plan:${exchange}`);
  const rules: PlannedRule[] = [];
  const own = rotated(instrumentKinds(exchange), seed * 16 + index * 7);
  const shared = rotated(connectionKinds(exchange), seed * 3 + index * 5);
  const natives = namesOf(exchange).map(({ native }) => native);
  for (const [place, isShared] of STRETCHES.entries()) {
    const fromMs = FIRST_MS + place * STRETCH_MS;
    const at = (): number => Math.round(fromMs + random.unit() * STRETCH_MS * BEGIN_SHARE);
    if (isShared) {
      rules.push(...connectionFault(shared.next(), { exchange, random, atMs: at(), natives }));
    } else {
      for (const native of natives) {
        rules.push(instrumentFault(own.next(), { exchange, random, atMs: at(), native }));
      }
    }
  }
  if (random.chance(0.2)) {
    rules.push({ kind: "rest_error", exchange, requests: ["metadata"], at_ms: 0 });
  }
  return rules;
}

/** Kinds that strike one instrument. */
function instrumentKinds(exchange: ExchangeId): FaultKind[] {
  return FAULT_KIND_NAMES.filter((kind) => existsOn(kind, exchange) && !ON_CONNECTION.includes(kind));
}

function connectionKinds(exchange: ExchangeId): FaultKind[] {
  const kinds = ON_CONNECTION.filter((kind) => existsOn(kind, exchange));
  return IN_BAND.includes(exchange) ? [...kinds, "delay", "drop", "level_missing"] : [...kinds, ...REST_KINDS];
}

function existsOn(kind: FaultKind, exchange: ExchangeId): boolean {
  return FAULT_KINDS[kind].exchanges?.includes(exchange) ?? true;
}

type InstrumentPlace = { exchange: ExchangeId; random: Random; atMs: number; native: string };

function instrumentFault(kind: FaultKind, { exchange, random, atMs, native }: InstrumentPlace): PlannedRule {
  const rule = { kind, exchange, instrument: native, at_ms: atMs };
  const lasting = { for_ms: between(random, 3, 10) };
  const few = { for_frames: 1 + random.below(5) };
  switch (kind) {
    case "drop":
    case "duplicate":
    case "reorder":
    case "truncate":
    case "corrupt_bit":
    case "corrupt_byte":
      return { ...rule, ...(random.chance(0.2) ? { frames: ["trade"] } : {}) };
    case "delay":
      return { ...rule, ms: between(random, 0.2, 3) };
    case "level_missing":
      return { ...rule, where: random.pick(["any", "top", "deep"]) };
    case "silence":
      return { ...rule, for_ms: between(random, 2, 8) };
    case "checksum_zero":
    case "drift_renamed":
    case "drift_retyped":
      return { ...rule, ...few };
    case "drift_zeros":
    case "drift_reordered":
    case "drift_extra":
      return { ...rule, ...lasting };
    case "auction":
      return { ...rule, for_ms: between(random, 2, 6) };
    case "drift_decimals":
      return {
        ...rule,
        ...random.pick([{ price_digits: 1, quantity_digits: 0 }, { price_digits: 0, quantity_digits: 1 }, {}]),
      };
    case "rest_429":
    case "rest_418":
      return { ...rule, retry_after_s: 2 + random.below(6) };
    case "rest_truncated":
      return { ...rule, abrupt: random.chance(0.5) };
    default:
      return rule;
  }
}

type ConnectionPlace = { exchange: ExchangeId; random: Random; atMs: number; natives: readonly string[] };

/** What befalls a connection, with what it needs to happen at all. */
function connectionFault(kind: FaultKind, place: ConnectionPlace): PlannedRule[] {
  const { exchange, random, atMs, natives } = place;
  const cut: PlannedRule = { kind: random.chance(0.5) ? "cut" : "close", exchange, at_ms: atMs };
  const rule = { kind, exchange, at_ms: atMs };
  const instrument = natives[random.below(natives.length)] ?? "";
  switch (kind) {
    case "half_open":
      return [{ ...rule, for_ms: between(random, 2, 15) }];
    case "close":
      return [{ ...rule, code: random.pick([1000, 1001, 1008, 1011]) }];
    case "server_shutdown":
      return [{ ...rule, close_after_ms: between(random, 1, 6) }];
    case "age_close":
      return [{ ...rule, age_ms: SECOND_MS, for_ms: 200 }];
    case "maintenance":
      return [{ ...rule, for_ms: between(random, 2, 6) }];
    case "subscribe_dropped":
      return [
        { ...rule, for_ms: between(random, 2, 5), requests_per_second: 0.4 },
        { ...cut, at_ms: atMs + 50 },
      ];
    case "connection_limit":
      return [
        // A ban that is announced is obeyed: it must not be longer than the fault holds.
        { ...rule, attempts: 1, per_ms: between(random, 4, 8), ban_ms: 8000, for_ms: 20_000 },
        cut,
        { ...cut, at_ms: atMs + 2500 },
      ];
    case "connect_refused":
      return [{ ...rule, times: 1 + random.below(3), until_ms: atMs + STRETCH_MS }, cut];
    case "connect_silent":
      return [{ ...rule, until_ms: atMs + STRETCH_MS }, cut];
    case "silent_subscription":
      return [{ ...rule, instrument, until_ms: atMs + STRETCH_MS }, cut];
    case "delay":
    case "drop":
    case "level_missing":
      return [snapshotFault(kind, { ...place, instrument }), cut];
    default:
      return kind.startsWith("rest_")
        ? [instrumentFault(kind, { exchange, random, atMs, native: instrument }), cut]
        : [rule];
  }
}

/** A fault of the first book after the connection came back. */
function snapshotFault(
  kind: "delay" | "drop" | "level_missing",
  { exchange, random, atMs, instrument }: ConnectionPlace & { instrument: string },
): PlannedRule {
  const rule = { kind, exchange, instrument, at_ms: atMs, until_ms: atMs + STRETCH_MS, frames: ["snapshot"] };
  return kind === "delay" ? { ...rule, ms: between(random, 0.5, 4) } : rule;
}

/** Whole ms between so many seconds. */
function between(random: Random, low: number, high: number): number {
  return Math.round((low + (high - low) * random.unit()) * SECOND_MS);
}

/** Kinds in turn, from a place on. */
function rotated<Kind>(kinds: readonly Kind[], from: number): { next: () => Kind } {
  let index = from;
  return {
    next: () => {
      const kind = kinds[index % kinds.length];
      index += 1;
      if (kind === undefined) {
        throw new RangeError("Cannot plan faults: there are none, was an empty list");
      }
      return kind;
    },
  };
}
