/**
 * The REST API under load, for k6: RATE requests a second, open loop, over all routes that only read, for DURATION. Every
 * answer is parsed and looked into. Prints one JSON report whose command runs it again.
 * Bad case: more requests a second than the gateway grants one address; it answers 429, and the threshold fails.
 */
import { check } from "k6";
import http from "k6/http";
import { Counter } from "k6/metrics";
import { loadReport, mustBeLocal, setting } from "./settings.js";

const URL = setting("URL", "http://127.0.0.1:8765");
const RATE = Number(setting("RATE", "200"));
const DURATION = setting("DURATION", "1m");
const CLIENTS = Number(setting("CLIENTS", "50"));
const P95_MS = Number(setting("P95_MS", "200"));

mustBeLocal(URL);

const ROOT = `${URL}/api/v1`;
const DEPTH = 20;

const wrong = new Counter("alphapulse_wrong_answers");

const ROUTES = [
  ["exchanges", () => "/exchanges", ({ exchanges }) => exchanges.length > 0],
  ["instruments", () => "/instruments", ({ instruments }) => instruments.length > 0],
  ["orderbook", (place) => `/orderbook/${place}?depth=${DEPTH}`, isBook],
  ["trades", (place) => `/trades/${place}?limit=20`, ({ trades }) => trades.length <= 20],
  ["delta_summary", () => "/delta-stats/summary", (answer) => typeof answer === "object"],
  ["delta_stats", (place) => `/delta-stats/${place}`, (answer) => typeof answer === "object"],
  ["opportunities", () => "/arbitrage/opportunities", (answer) => typeof answer === "object"],
  ["health", () => "/system/health", ({ status }) => typeof status === "string"],
];

export const options = {
  scenarios: {
    rest: {
      executor: "constant-arrival-rate",
      exec: "ask",
      rate: RATE,
      timeUnit: "1s",
      duration: DURATION,
      preAllocatedVUs: CLIENTS,
      maxVUs: CLIENTS,
    },
  },
  summaryTrendStats: ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
  thresholds: {
    http_req_failed: ["rate==0"],
    checks: ["rate==1"],
    alphapulse_wrong_answers: ["count==0"],
    dropped_iterations: [`count<=${Math.ceil(RATE / 10)}`],
    ...Object.fromEntries(ROUTES.map(([name]) => [`http_req_duration{route:${name}}`, [`p(95)<${P95_MS}`]])),
  },
};

/** The instruments that are there. */
export function setup() {
  const { instruments } = http.get(`${ROOT}/instruments`).json();
  return instruments.map(({ exchange, symbol }) => `${exchange}/${symbol}`);
}

/** One request. */
export function ask(places) {
  const [name, path, fits] = ROUTES[Math.floor(Math.random() * ROUTES.length)];
  const place = places[Math.floor(Math.random() * places.length)];
  const answer = http.get(ROOT + path(place), { tags: { route: name, name } });
  const isRight = check(answer, { "status is 200": ({ status }) => status === 200 }) && fits(answer.json());
  if (!isRight) {
    wrong.add(1);
    console.error(`${name}: ${answer.status} ${String(answer.body).slice(0, 200)}`);
  }
}

/** Bids fall, asks rise, and no more than was asked for. */
function isBook({ bids, asks }) {
  const isSorted = (levels, sign) =>
    levels.every(([price], index) => index === 0 || sign * (Number(price) - Number(levels[index - 1][0])) > 0);
  return bids.length <= DEPTH && asks.length <= DEPTH && isSorted(bids, -1) && isSorted(asks, 1);
}

/** The report, in place of k6's own. */
export function handleSummary(summary) {
  return loadReport(summary, {
    what: "REST requests of k6, open loop, over all routes that only read",
    script: "deploy/load/rest.js",
    settings: { URL, RATE, DURATION, CLIENTS, P95_MS },
  });
}
