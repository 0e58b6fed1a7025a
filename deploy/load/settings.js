/**
 * Settings from the environment and the report at the end, for the k6 scripts. A report is one JSON object on standard
 * output, and in the file that SUMMARY names, whose `command` runs it again.
 * Bad case: an address of another machine; refused unless REMOTE=1 says that this is meant.
 */
const LOOPBACK = /^(wss?|https?):\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(\/|$)/;
const UNITS_S = { ms: 0.001, s: 1, m: 60, h: 3600 };
const SECONDS_MAX = 3600;

/** A load that nobody ends must end by itself, and not take the machine with it: bounds of `number`. */
export const CLIENTS_MAX = 2000;
/** Requests a second. */
export const RATE_MAX = 10_000;
/** Of latencies, ms. */
export const THRESHOLD_MS_MAX = 1_000_000;

/** A setting. */
export function setting(name, fallback) {
  return __ENV[name] === undefined || __ENV[name] === "" ? fallback : __ENV[name];
}

/** A setting that is a number. @throws Error when it is none, or outside its bounds */
export function number(name, fallback, { min, max, isWhole = true }) {
  const text = setting(name, String(fallback));
  const value = String(text).trim() === "" ? Number.NaN : Number(text);
  if (!(value >= min && value <= max) || (isWhole && !Number.isInteger(value))) {
    const kind = isWhole ? "a whole number" : "a number";
    throw new Error(`Cannot use ${name}: it must be ${kind} from ${min} to ${max}, was ${text}`);
  }
  return value;
}

/** Load goes to this machine. @throws Error when it would not, and REMOTE=1 does not say so */
export function mustBeLocal(url) {
  if (!LOOPBACK.test(url) && setting("REMOTE", "") !== "1") {
    throw new Error(`Cannot put load on another machine: set REMOTE=1 if that is meant, was ${url}`);
  }
}

/** Seconds of a duration of k6, e.g. 5m or 1m30s. @throws Error when it is none, nothing, or more than an hour */
export function seconds(text) {
  const parts = [...String(text).matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== String(text)) {
    throw new Error(`Cannot use DURATION: it must be as 5m or 1m30s, was ${text}`);
  }
  const sum = parts.reduce((whole, [, count, unit]) => whole + Number(count) * UNITS_S[unit], 0);
  if (sum <= 0 || sum > SECONDS_MAX) {
    throw new Error(`Cannot use DURATION: it must be above 0 and at most ${SECONDS_MAX} s, was ${text}`);
  }
  return sum;
}

/** A duration of k6. */
export function duration(secondsWanted) {
  return `${Math.ceil(secondsWanted)}s`;
}

/** The report of a run, for `handleSummary`. */
export function loadReport({ metrics, state }, { what, script, settings }) {
  const said = { ...settings, ...(setting("REMOTE", "") === "1" ? { REMOTE: 1 } : {}) };
  const words = Object.entries(said).map(([name, value]) => `-e ${name}=${quoted(value)}`);
  const thresholds = Object.entries(metrics).flatMap(([name, { thresholds: judged = {} }]) =>
    Object.entries(judged).map(([wanted, { ok }]) => ({ name, wanted, isMet: ok })),
  );
  const report = {
    what,
    command: `k6 run --quiet ${words.join(" ")} ${script}`,
    date: new Date().toISOString(),
    commit: setting("SOURCE_COMMIT", null),
    isGood: thresholds.every(({ isMet }) => isMet),
    seconds: Math.round(state.testRunDurationMs / 100) / 10,
    settings,
    thresholds,
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, { values }]) => [name, values])),
  };
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  const file = setting("SUMMARY", "");
  return { stdout: text, ...(file === "" ? {} : { [file]: text }) };
}

/** For a shell: an apostrophe ends the quotes, stands for itself and opens them again. */
function quoted(value) {
  return `'${String(value).replaceAll("'", "'\\''")}'`;
}
