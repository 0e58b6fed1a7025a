/**
 * Fault scripts: a TOML or JSON file with a list of faults, each with its target, its trigger and the options of its kind.
 * Everything is checked when the script is read, and an error names the key, e.g. `fault[2].probability`.
 * Bad case: a misspelt key would make a script silently harmless; unknown keys are refused with the nearest name.
 */
import { readFileSync } from "node:fs";
import { parse as parseToml } from "smol-toml";
import { z } from "zod";
import { nearestHint } from "../config/nearest.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGE_IDS, type ExchangeId, resolveExchangeId } from "../model/exchange_id.ts";
import { existsOn, FAULT_KIND_NAMES, FAULT_KINDS, type FaultKind, type FaultOptions } from "./fault_kinds.ts";
import type { FrameKind, RestAbout } from "./protocol.ts";
import { isObject } from "./text.ts";

/** One fault of a script: what happens, to whom, when, how often. */
export type FaultRule = {
  /** Place in the script, from 0. */
  readonly index: number;
  readonly kind: FaultKind;
  /** Absent: every exchange that runs and has the kind. */
  readonly exchanges?: readonly ExchangeId[];
  /** Native symbols; `*`: whichever comes, that one alone; absent: everything on the connection. */
  readonly instruments?: readonly string[] | "*";
  /** Numbers of accepted connections per exchange, from 1; absent: every one. */
  readonly connections?: readonly number[];
  /** Absent: as is usual for the kind. */
  readonly frames?: readonly FrameKind[];
  /** REST requests; absent: depth. */
  readonly requests?: readonly RestAbout["kind"][];
  /** Not before, milliseconds after the emulator's start. */
  readonly atMs: number;
  /** Not after. */
  readonly untilMs: number;
  /** So many frames of a connection, requests or attempts pass first. */
  readonly after?: number;
  /** Of each frame, request or attempt, 0 … 1. */
  readonly probability?: number;
  /** Mean rate in time, at random instants. */
  readonly perSecond?: number;
  /** At most; infinite for no limit. */
  readonly times: number;
  readonly options: FaultOptions;
};

/** A fault script. */
export type FaultScript = {
  /** Absent: the seed of the emulator. */
  readonly seed?: number;
  readonly rules: readonly FaultRule[];
};

const FRAME_KINDS = ["snapshot", "book", "trade", "ticker", "kline", "heartbeat", "reply", "other"] as const;
const REQUESTS = ["depth", "metadata", "other"] as const;
const SYSTEMS = ["maintenance", "cancel_only", "post_only", "limit_only"] as const;
const TRIGGERS = ["after", "probability", "per_second"] as const;
/** Scopes at which only time is a trigger. */
const TIMED_ONLY = ["market", "policy"];

const ms = z.number().min(0).max(1e12);
const count = z.number().int().min(0).max(1e9);
const text = z.string().min(1).max(64);
const exchangeId = z.preprocess(
  (value) => (typeof value === "string" ? (resolveExchangeId(value) ?? value) : value),
  z.enum(EXCHANGE_IDS),
);

const RULE = z.strictObject({
  kind: z.enum(FAULT_KIND_NAMES),
  exchange: listOf(exchangeId).optional(),
  instrument: listOf(text).optional(),
  connection: listOf(z.number().int().min(1)).optional(),
  frames: listOf(z.enum(FRAME_KINDS)).optional(),
  requests: listOf(z.enum(REQUESTS)).optional(),
  at_ms: ms.optional(),
  until_ms: ms.optional(),
  after: count.optional(),
  probability: z.number().min(0).max(1).optional(),
  per_second: z.number().gt(0).max(1000).optional(),
  times: z.number().int().min(1).optional(),
  for_ms: ms.optional(),
  for_frames: count.min(1).optional(),
  ms: ms.optional(),
  code: z.number().int().min(1000).max(4999).optional(),
  status: z.number().int().min(400).max(599).optional(),
  retry_after_s: z.number().int().min(1).max(86_400).optional(),
  age_ms: ms.optional(),
  close_after_ms: ms.optional(),
  where: z.enum(["any", "top", "deep"]).optional(),
  field: text.optional(),
  to: text.optional(),
  attempts: count.min(1).optional(),
  per_ms: ms.min(1).optional(),
  ban_ms: ms.optional(),
  burst: count.optional(),
  requests_per_second: z.number().gt(0).max(1000).optional(),
  system: z.enum(SYSTEMS).optional(),
  price_digits: z.number().int().min(0).max(3).optional(),
  quantity_digits: z.number().int().min(0).max(3).optional(),
  abrupt: z.boolean().optional(),
});
const SCRIPT = z.strictObject({
  seed: z.number().int().min(0).max(4_294_967_295).optional(),
  fault: z.array(RULE).max(10_000),
});
const TARGET_KEYS = ["kind", "exchange", "instrument", "connection", "frames", "requests"] as const;
const TRIGGER_KEYS = ["at_ms", "until_ms", "times", ...TRIGGERS] as const;

type RuleInput = z.output<typeof RULE>;

/**
 * Reads a script file: JSON when its name ends in `.json`, else TOML.
 * @throws ConfigError when it cannot be read, naming the key where one is at fault
 */
export function readFaultScript(path: string): FaultScript {
  let value: unknown;
  try {
    const content = readFileSync(path, "utf8");
    value = path.endsWith(".json") ? JSON.parse(content) : parseToml(content);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot read the fault script: ${reason}, was ${path}`, { cause });
  }
  return parseFaultScript(value, path);
}

/**
 * Checks a script.
 * @param value as parsed from the file: `{ seed?, fault: [{ kind, … }] }`
 * @param source named in errors
 * @throws ConfigError naming the key and the value
 */
export function parseFaultScript(value: unknown, source = "the fault script"): FaultScript {
  const result = SCRIPT.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw issue === undefined ? result.error : schemaError(issue, value, source);
  }
  const rules = result.data.fault.map((input, index) =>
    ruleOf(input, index, (key, reason) => {
      const was = JSON.stringify(input[key as keyof RuleInput]) ?? "undefined";
      return new ConfigError(`Cannot use ${source}: fault[${index}].${key}: ${reason}, was ${was}`);
    }),
  );
  return { ...(result.data.seed === undefined ? {} : { seed: result.data.seed }), rules };
}

/**
 * Checks a script against what runs.
 * @param options.symbols native symbols of each exchange that runs
 * @throws ConfigError naming the key: an exchange or instrument that does not run, a fault that needs a synthetic market
 */
export function checkScript(script: FaultScript, { symbols, hasMarket }: Running): void {
  for (const { index, kind, exchanges, instruments } of script.rules) {
    const refuse = (key: string, reason: string, was: string): ConfigError =>
      new ConfigError(`Cannot use the fault script: fault[${index}].${key}: ${reason}, was ${was}`);
    const absent = exchanges?.find((exchange) => !symbols.has(exchange));
    if (absent !== undefined) {
      throw refuse("exchange", `it does not run, only ${[...symbols.keys()].join(", ")}`, absent);
    }
    const targets = [...symbols.keys()].filter((one) => existsOn(kind, one) && (exchanges?.includes(one) ?? true));
    if (targets.length === 0) {
      throw refuse("kind", "it exists on no exchange that runs", kind);
    }
    if (FAULT_KINDS[kind].needsMarket && !hasMarket) {
      throw refuse("kind", "it needs a synthetic market, not a capture", kind);
    }
    const listed = targets.flatMap((exchange) => symbols.get(exchange) ?? []);
    const unknown = typeof instruments === "object" ? instruments.find((one) => !listed.includes(one)) : undefined;
    if (unknown !== undefined) {
      throw refuse("instrument", `it is not listed${nearestHint(unknown, listed)}`, unknown);
    }
  }
}

type Running = { readonly symbols: ReadonlyMap<ExchangeId, readonly string[]>; readonly hasMarket: boolean };

function listOf<Item extends z.ZodType>(item: Item) {
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item).min(1));
}

type Refusal = (key: string, reason: string) => ConfigError;

function ruleOf(input: RuleInput, index: number, refuse: Refusal): FaultRule {
  const { kind } = input;
  checkKeys(input, refuse);
  const isRepeated = input.probability !== undefined || input.per_second !== undefined;
  const options = Object.entries(FAULT_KINDS[kind].options).map(([key, fallback]) => {
    return [key, input[key as keyof FaultOptions] ?? fallback];
  });
  const symbols = input.instrument;
  return {
    index,
    kind,
    ...(input.exchange === undefined ? {} : { exchanges: input.exchange }),
    ...(symbols === undefined ? {} : { instruments: symbols.includes("*") ? "*" : symbols }),
    ...(input.connection === undefined ? {} : { connections: input.connection }),
    ...(input.frames === undefined ? {} : { frames: input.frames }),
    ...(input.requests === undefined ? {} : { requests: input.requests }),
    ...(input.after === undefined ? {} : { after: input.after }),
    ...(input.probability === undefined ? {} : { probability: input.probability }),
    ...(input.per_second === undefined ? {} : { perSecond: input.per_second }),
    atMs: input.at_ms ?? 0,
    untilMs: input.until_ms ?? Number.POSITIVE_INFINITY,
    times: input.times ?? (isRepeated ? Number.POSITIVE_INFINITY : 1),
    options: Object.fromEntries(options) as FaultOptions,
  };
}

function checkKeys(input: RuleInput, refuse: Refusal): void {
  const { kind } = input;
  const { scope, options } = FAULT_KINDS[kind];
  const allowed: string[] = [...TARGET_KEYS, ...TRIGGER_KEYS, ...Object.keys(options)];
  const given = Object.keys(input) as (keyof RuleInput)[];
  for (const key of given.filter((one) => input[one] !== undefined)) {
    if (!allowed.includes(key)) {
      throw refuse(key, `not an option of ${kind}`);
    }
  }
  const [first, second] = TRIGGERS.filter((key) => input[key] !== undefined);
  if (second !== undefined) {
    throw refuse(second, `only one trigger can be given, ${first} is there too`);
  }
  if (TIMED_ONLY.includes(scope) && (first === "after" || first === "probability")) {
    throw refuse(first, `${kind} happens at a time: give at_ms or per_second`);
  }
  if (scope === "policy" && (first ?? (input.times === undefined ? undefined : "times")) !== undefined) {
    throw refuse(first ?? "times", `${kind} is a rule that holds: give at_ms and for_ms`);
  }
  if (kind === "maintenance" && input.instrument !== undefined) {
    throw refuse("instrument", "maintenance is of the whole exchange");
  }
  const wrong = input.exchange?.find((exchange) => !existsOn(kind, exchange));
  if (wrong !== undefined) {
    throw refuse("exchange", `${kind} does not exist on ${wrong}`);
  }
  for (const [key, scopes] of Object.entries(KEY_SCOPES)) {
    if (input[key as keyof RuleInput] !== undefined && !scopes.includes(scope)) {
      throw refuse(key, `${kind} cannot be limited so`);
    }
  }
}

/** Where a part of the target means something. */
const KEY_SCOPES: Readonly<Record<string, readonly string[]>> = {
  instrument: ["frame", "stream", "subscription", "rest", "market", "connection"],
  connection: ["frame", "stream", "subscription", "connection", "policy"],
  frames: ["frame", "stream", "connection"],
  requests: ["rest"],
};

function schemaError(issue: z.core.$ZodIssue, value: unknown, source: string): ConfigError {
  const place = (path: readonly PropertyKey[]): string =>
    path
      .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
      .join("")
      .replace(/^\./, "");
  const { found, path } = valueAt(value, issue.path);
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const known = issue.path.length === 0 ? Object.keys(SCRIPT.shape) : Object.keys(RULE.shape);
    const was = JSON.stringify(isIndexable(found) ? found[key] : undefined) ?? "undefined";
    return new ConfigError(
      `Cannot use ${source}: ${place([...path, key])}: unknown key${nearestHint(key, known)}, was ${was}`,
    );
  }
  const isKind = issue.path.at(-1) === "kind" && typeof found === "string";
  const reason = isKind ? `no such fault${nearestHint(found, FAULT_KIND_NAMES)}` : issue.message;
  const was = JSON.stringify(found) ?? "undefined";
  return new ConfigError(`Cannot use ${source}: ${place(path) || "the file"}: ${reason}, was ${was}`);
}

// A single value may stand for a list: its place is then the key, without an index.
function valueAt(value: unknown, path: readonly PropertyKey[]): { found: unknown; path: readonly PropertyKey[] } {
  let found = value;
  for (const [depth, part] of path.entries()) {
    if (typeof part === "number" && !Array.isArray(found)) {
      return { found, path: path.slice(0, depth) };
    }
    found = isIndexable(found) ? found[String(part)] : undefined;
  }
  return { found, path };
}

function isIndexable(value: unknown): value is Record<string, unknown> {
  return isObject(value) || Array.isArray(value);
}
