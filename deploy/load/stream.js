/**
 * The stream under load, for k6: CLIENTS connections that follow every book, trade and best price in the binary form for
 * DURATION. Each frame is taken apart to its last byte, snapshots by their heads; versions must follow one another, best
 * prices must carry versions at which an event ended, trades must leave no gap, checksums of smaller frames must hold.
 * Prints one JSON report whose command runs it again.
 * Bad case: one frame that is wrong; it is counted, told once per client, and the threshold fails. Also a burst that k6 is
 * too slow for: frames wait in k6, hence the median is judged. Book hashes, and latencies of the server rather than of k6,
 * are the matter of `alphapulse load stream`.
 */
import exec from "k6/execution";
import { WebSocket } from "k6/experimental/websockets";
import { Counter, Trend } from "k6/metrics";
import { Cursor } from "./cursor.js";
import { Follower } from "./follower.js";
import {
  CLIENTS_MAX,
  duration,
  loadReport,
  mustBeLocal,
  number,
  seconds,
  setting,
  THRESHOLD_MS_MAX,
} from "./settings.js";

const URL = setting("URL", "ws://127.0.0.1:8765/ws");
const CLIENTS = number("CLIENTS", 100, { min: 1, max: CLIENTS_MAX });
const DURATION = setting("DURATION", "5m");
const INSTRUMENTS = setting("INSTRUMENTS", "*:*");
const LATENCY_MED_MS = number("LATENCY_MED_MS", 500, { min: 0.001, max: THRESHOLD_MS_MAX, isWhole: false });
const CONNECT_P95_MS = number("CONNECT_P95_MS", 5000, { min: 0.001, max: THRESHOLD_MS_MAX, isWhole: false });

mustBeLocal(URL);

/** For the first connections not to come all in the same millisecond. */
const SPREAD_MS = 1000;
const END_PATIENCE_S = 30;
/** Every sample costs k6 more than a frame: counts are told so often, ms, and the latency of every fourth frame. */
const TELL_MS = 500;
const LATENCY_EVERY = 4;
/** Best prices prove the versions of the books once more; every tenth client takes them, too. */
const BBO_EVERY = 10;

const opened = new Counter("alphapulse_clients");
const closedEarly = new Counter("alphapulse_closed_early");
const counters = {
  frames: new Counter("alphapulse_frames"),
  events: new Counter("alphapulse_events"),
  trades: new Counter("alphapulse_trades"),
  snapshots: new Counter("alphapulse_snapshots"),
};
const broken = new Counter("alphapulse_broken");
const latency = new Trend("alphapulse_latency_ms");

export const options = {
  scenarios: {
    stream: {
      executor: "per-vu-iterations",
      exec: "follow",
      vus: CLIENTS,
      iterations: 1,
      maxDuration: duration(seconds(DURATION) + END_PATIENCE_S),
    },
  },
  summaryTrendStats: ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
  thresholds: {
    alphapulse_broken: ["count==0"],
    alphapulse_closed_early: ["count==0"],
    alphapulse_clients: [`count>=${CLIENTS}`],
    alphapulse_snapshots: [`count>=${CLIENTS}`],
    alphapulse_events: ["count>0"],
    alphapulse_latency_ms: [`med<${LATENCY_MED_MS}`],
    ws_connecting: [`p(95)<${CONNECT_P95_MS}`],
  },
};

/** What one client saw since it was last told. */
class Tally {
  constructor() {
    this.counts = { frames: 0, events: 0, trades: 0, snapshots: 0 };
    this.latencies = 0;
  }

  count(name, by) {
    this.counts[name] += by;
  }

  latency(ms) {
    this.latencies += 1;
    if (this.latencies % LATENCY_EVERY === 0) {
      latency.add(ms);
    }
  }

  tell() {
    for (const [name, counter] of Object.entries(counters)) {
      if (this.counts[name] > 0) {
        counter.add(this.counts[name]);
        this.counts[name] = 0;
      }
    }
  }
}

/** One client, from its connection to its close. */
export function follow() {
  setTimeout(connect, (SPREAD_MS * exec.vu.idInTest) / CLIENTS);
}

function connect() {
  const socket = new WebSocket(URL, ["alphapulse.v1.bin"]);
  socket.binaryType = "arraybuffer";
  let isOver = false;
  let hasTold = false;
  const complain = (what) => {
    broken.add(1);
    if (!hasTold) {
      hasTold = true;
      console.error(`client ${exec.vu.idInTest}: ${what}`);
    }
  };
  const seen = new Tally();
  const follower = new Follower(seen, complain);
  const telling = setInterval(() => seen.tell(), TELL_MS);
  const end = setTimeout(() => {
    isOver = true;
    socket.close();
  }, seconds(DURATION) * 1000);
  socket.addEventListener("open", () => {
    opened.add(1);
    const instruments = INSTRUMENTS.split(",");
    const channels = exec.vu.idInTest % BBO_EVERY === 0 ? ["book", "trades", "bbo"] : ["book", "trades"];
    socket.send(JSON.stringify({ op: "subscribe", id: 1, channels, instruments }));
  });
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") {
      follower.text(JSON.parse(data));
      return;
    }
    seen.count("frames", 1);
    try {
      follower.frame(new Cursor(new Uint8Array(data)));
    } catch (error) {
      complain(error.message);
    }
  });
  socket.addEventListener("error", ({ error }) => {
    if (!isOver) {
      complain(`the connection failed: ${error}`);
    }
  });
  socket.addEventListener("close", () => {
    clearInterval(telling);
    seen.tell();
    if (!isOver) {
      clearTimeout(end);
      closedEarly.add(1);
    }
  });
}

/** The report, in place of k6's own. */
export function handleSummary(summary) {
  return loadReport(summary, {
    what: "stream clients of k6: binary frames taken apart, versions continuous per instrument",
    script: "deploy/load/stream.js",
    settings: { URL, CLIENTS, DURATION, INSTRUMENTS, LATENCY_MED_MS, CONNECT_P95_MS },
  });
}
