/**
 * The log: one line per event on stderr, so that stdout belongs to what a command prints. JSON for machines, coloured text
 * on a terminal. Lines that are alike are told a few times in ten seconds, then counted; secrets are left out.
 * Bad case: a line lost at exit; the destination is synchronous, and what was held back is told at the end.
 */
import { destination, type Level, type Logger, type LoggerOptions, pino } from "pino";
import pretty from "pino-pretty";
import type { Config } from "../config/mod.ts";
import { RepeatFilter } from "./repeat_filter.ts";

/** The log of the program. */
export type Log = Logger;

/** Where and how lines are written. */
export type LogOptions = {
  /** `auto`: text when stderr is a terminal, JSON otherwise. Default auto. */
  readonly format?: Config["logFormat"];
  /** Takes the lines instead of stderr. */
  readonly write?: (line: string) => void;
  /** Monotonic ms. */
  readonly now?: () => number;
};

type Fields = Record<string, unknown>;
type Line = { readonly level: Level; readonly fields: Fields; readonly text: string };

const STDERR = 2;
const SETTLE_MS = 1000;
const HIDDEN = "***";
/** Fields that are never written. */
const SECRET_FIELDS = ["key", "keys", "apiKey", "authorization", "cookie", "password", "secret", "token"];
/** `user:password@` of an address, and the value of a parameter that opens something. */
const CREDENTIALS = /(:\/\/)[^/@\s]+@/g;
const SECRET_PARAMETERS = /([?&](?:api_?key|key|secret|signature|token)=)[^&\s]+/gi;

/** Opens the log. @param level from the configuration */
export function openLog(level: Config["logLevel"], options: LogOptions = {}): Log {
  const { format = "auto", write, now = () => performance.now() } = options;
  const repeats = new RepeatFilter<Line>({ now });
  const settings: LoggerOptions = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS, censor: HIDDEN },
    hooks: {
      logMethod(words, method, number) {
        const line = lineOf(words, log.levels.labels[number] ?? "info");
        if (repeats.admit(kindOf(line), line)) {
          method.apply(this, [line.fields, line.text]);
        }
        tellSettled();
      },
    },
  };
  const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY === true);
  const log = pino(settings, isPretty ? prettyStream(write) : plainStream(write));
  const unfiltered = pino({ ...settings, hooks: {} }, isPretty ? prettyStream(write) : plainStream(write));
  const tellSettled = (options: { all?: boolean } = {}) => {
    for (const { line, count } of repeats.takeSettled(options)) {
      const { level: held, fields, text } = line;
      unfiltered[held]({ ...fields, heldBack: count }, `${text} (${count} like this were held back)`);
    }
  };
  setInterval(() => tellSettled(), SETTLE_MS).unref();
  process.once("exit", () => tellSettled({ all: true }));
  return log;
}

/** A text without what would open a door. */
export function withoutSecrets(text: string): string {
  return text.replace(CREDENTIALS, `$1${HIDDEN}@`).replace(SECRET_PARAMETERS, `$1${HIDDEN}`);
}

function plainStream(write: LogOptions["write"]) {
  return write === undefined ? destination({ fd: STDERR, sync: true }) : { write };
}

function prettyStream(write: LogOptions["write"]) {
  const shape = {
    ignore: "exchange,instrument,state,reason,was",
    messageFormat: "{if exchange}{exchange} {end}{if instrument}{instrument} {end}{msg}",
  };
  const common = { ...shape, translateTime: "SYS:HH:MM:ss.l", sync: true };
  if (write === undefined) {
    return pretty({ ...common, destination: STDERR });
  }
  const format = pretty.prettyFactory({ ...common, colorize: false });
  return { write: (line: string) => write(format(line)) };
}

/** Pino takes fields and a text, or a text alone. */
function lineOf(words: readonly unknown[], level: string): Line {
  const [first, second] = words;
  const isText = typeof first === "string";
  const fields = isText || typeof first !== "object" || first === null ? {} : (first as Fields);
  const shown = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? withoutSecrets(value) : value,
  ]);
  const text = withoutSecrets(String((isText ? first : second) ?? ""));
  return { level: level as Level, fields: Object.fromEntries(shown) as Fields, text };
}

/** Lines are alike when they say the same of the same, whatever the numbers in them. */
function kindOf({ level, fields, text }: Line): string {
  return [level, fields.exchange, fields.instrument, fields.state, text.replace(/\d+/g, "#")].join(" ");
}
