/**
 * The REST API under load, for k6: RATE requests a second, open loop, over all routes that only read, for DURATION. Every
 * answer is parsed and looked into. Prints one JSON report whose command runs it again.
 * Bad case: more requests a second than the gateway grants one address; it answers 429, and the threshold fails. Routes that
 * a gateway does not serve (501: feeds of other processes, arbitrage that is off) are named and left out.
 */
import { check } from "k6";
import http from "k6/http";
import { Counter } from "k6/metrics";
import { isRight, ROUTES } from "./routes.js";
import {
  CLIENTS_MAX,
  loadReport,
  mustBeLocal,
  number,
  RATE_MAX,
  seconds,
  setting,
  THRESHOLD_MS_MAX,
} from "./settings.js";

const URL = setting("URL", "http://127.0.0.1:8765");
const RATE = number("RATE", 200, { min: 1, max: RATE_MAX });
const DURATION = setting("DURATION", "1m");
const CLIENTS = number("CLIENTS", 50, { min: 1, max: CLIENTS_MAX });
const P95_MS = number("P95_MS", 200, { min: 0.001, max: THRESHOLD_MS_MAX, isWhole: false });

mustBeLocal(URL);
seconds(DURATION);

const ROOT = `${URL}/api/v1`;
const NOT_SERVED = 501;

const wrong = new Counter("alphapulse_wrong_answers");

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

/** The instruments that are there, and the names of the routes that are served. */
export function setup() {
  const { instruments } = http.get(`${ROOT}/instruments`).json();
  const places = instruments.map(({ exchange, symbol }) => `${exchange}/${symbol}`);
  const responseCallback = http.expectedStatuses({ min: 200, max: 299 }, NOT_SERVED, 503);
  const isServed = ([name, path]) => {
    const { status } = http.get(ROOT + path(places[0]), { responseCallback });
    if (status === NOT_SERVED) {
      console.error(`${name}: not served here, left out`);
    }
    return status !== NOT_SERVED;
  };
  return { places, served: ROUTES.filter(isServed).map(([name]) => name) };
}

/** One request. */
export function ask({ places, served }) {
  const chosen = served[Math.floor(Math.random() * served.length)];
  const [name, path, fits] = ROUTES.find(([one]) => one === chosen);
  const place = places[Math.floor(Math.random() * places.length)];
  const answer = http.get(ROOT + path(place), { tags: { route: name, name } });
  if (!(check(answer, { "status is 200": ({ status }) => status === 200 }) && isRight(answer, fits))) {
    wrong.add(1);
    console.error(`${name}: ${answer.status} ${String(answer.body).slice(0, 200)}`);
  }
}

/** The report, in place of k6's own. */
export function handleSummary(summary) {
  return loadReport(summary, {
    what: "REST requests of k6, open loop, over all routes that only read",
    script: "deploy/load/rest.js",
    settings: { URL, RATE, DURATION, CLIENTS, P95_MS },
  });
}
