/**
 * Settings from the environment and the report at the end, for the k6 scripts. A report is one JSON object on standard
 * output, and in the file that SUMMARY names, whose `command` runs it again.
 * Bad case: an address of another machine; refused unless REMOTE=1 says that this is meant.
 */
const LOOPBACK = /^(wss?|https?):\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(\/|$)/;
const UNITS_S = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** A setting. */
export function setting(name, fallback) {
  return __ENV[name] === undefined || __ENV[name] === "" ? fallback : __ENV[name];
}

/** Load goes to this machine. @throws Error when it would not, and REMOTE=1 does not say so */
export function mustBeLocal(url) {
  if (!LOOPBACK.test(url) && setting("REMOTE", "") !== "1") {
    throw new Error(`Cannot put load on another machine: set REMOTE=1 if that is meant, was ${url}`);
  }
}

/** Seconds of a duration of k6, e.g. 5m or 1m30s. @throws Error when it is none */
export function seconds(text) {
  const parts = [...String(text).matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== String(text)) {
    throw new Error(`Cannot use DURATION: it must be as 5m or 1m30s, was ${text}`);
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_S[unit], 0);
}

/** A duration of k6. */
export function duration(secondsWanted) {
  return `${Math.ceil(secondsWanted)}s`;
}

/** The report of a run, for `handleSummary`. */
export function loadReport({ metrics, state }, { what, script, settings }) {
  const words = Object.entries(settings).map(([name, value]) => `-e ${name}='${value}'`);
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
