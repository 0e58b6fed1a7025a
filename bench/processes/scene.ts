/**
 * What the cases across processes share: our segment with its peers, the C twin with its own, MessagePort and FIFO.
 * Bad case: something that this machine lacks; it is named, and only the sides that need it are skipped.
 */
import { execFileSync } from "node:child_process";
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { DELTA_BYTES } from "../../assembly/layout.ts";
import { assetPath } from "../../src/assets.ts";
import { reserveBytes } from "../workbench.ts";
import { attachReader, type MappedBench, type MappedReader, openMappedBench } from "./mapped_bench.ts";
import { type MissingTwin, type NativeTwin, startNativeTwin } from "./native_twin.ts";
import { type PagedPeer, PeerPage, startPaged } from "./paged_peer.ts";
import { ECHO, MESSAGE } from "./peer.ts";
import { PATIENCE_MS, PEER_WORD, type Peer, type Stage, spinUntil } from "./stage.ts";

/** The name of the segment with a live reader. */
const MAIN = "bench_ring";
/** The name of the segment whose records are echoed. */
const PING = "bench_ping";

/** Messages of a baseline: sent in this thread, verified by the other end. */
export type Messages = {
  readonly peer: Peer | undefined;
  /** Sends, and waits until all were verified. @returns messages verified in vain */
  readonly send: (count: number) => number;
};

/** Everything on the stage. */
export type Scene = {
  readonly stage: Stage;
  /** Reads and verifies our ring. */
  readonly reader: PagedPeer;
  /** Answers every record of our ring on a ring of its own. */
  readonly echo: PagedPeer;
  readonly echoed: MappedReader;
  /** Room for one of its records. */
  readonly polled: number;
  readonly twin: NativeTwin | MissingTwin;
  readonly port: Messages;
  readonly pipe: Messages;
  readonly close: () => Promise<void>;
};

/**
 * Sets everything up.
 * @throws MappingError when this machine cannot share memory @throws Error when a peer does not come up
 */
export async function openScene(stage: Stage): Promise<Scene> {
  const bench = await openMappedBench(stage.directory, MAIN);
  const ping = await openMappedBench(stage.directory, PING);
  // At the same time: most of a start is loading.
  const [reader, echo, twin, pipe] = await Promise.all([
    startPaged(stage, bench, "read"),
    startPaged(stage, ping, "echo"),
    startNativeTwin(stage),
    openPipe(stage, bench),
  ]);
  const echoed = await attachReader(ping.map, { directory: stage.directory, exchange: ECHO });
  const polled = reserveBytes(ping, "polled", DELTA_BYTES);
  const port = openPort();
  const close = async () => {
    stage.activate(undefined);
    await port.close();
    bench.close();
    ping.close();
    if (!("missing" in twin)) {
      twin.reader.bench.close();
    }
  };
  return { stage, reader, echo, echoed, polled, twin, port, pipe, close };
}

function message(): { bytes: Uint8Array; stamp: (version: number) => void } {
  const bytes = new Uint8Array(MESSAGE.bytes);
  const view = new DataView(bytes.buffer);
  const stamp = (version: number) => {
    view.setUint32(MESSAGE.version, version, true);
    view.setUint32(MESSAGE.last, version, true);
  };
  return { bytes, stamp };
}

function openPort(): Messages & { close: () => Promise<unknown> } {
  const words = new Int32Array(new SharedArrayBuffer(12));
  const url = pathToFileURL(assetPath("bench/main.js"));
  const worker = new Worker(url, { argv: [PEER_WORD, "port"], workerData: words });
  const { bytes, stamp } = message();
  let version = 0;
  const send = (count: number) => {
    const until = version + count;
    Atomics.store(words, 2, until);
    while (version < until) {
      version += 1;
      stamp(version);
      worker.postMessage(bytes);
    }
    for (let seen = Atomics.load(words, 0); seen < until; seen = Atomics.load(words, 0)) {
      if (Atomics.wait(words, 0, seen, PATIENCE_MS) === "timed-out") {
        throw new Error(`Cannot measure MessagePort: only ${seen} of ${until} messages arrived`);
      }
    }
    return Atomics.load(words, 1);
  };
  return { peer: undefined, send, close: () => worker.terminate() };
}

async function openPipe(stage: Stage, bench: MappedBench): Promise<Messages> {
  const path = join(stage.directory, "fifo");
  execFileSync("mkfifo", ["-m", "600", path]);
  const fd = openSync(path, "r+");
  const page = await PeerPage.open(bench.map, { directory: stage.directory, name: "pipe", isFresh: true });
  const child = stage.startNode("pipe", [stage.directory, path, "pipe"]);
  const peer = await stage.ready({ child, awake: () => undefined }, () => page.beat > 0);
  const { bytes, stamp } = message();
  let version = 0;
  const send = (count: number) => {
    for (const until = version + count; version < until; ) {
      version += 1;
      stamp(version);
      writeSync(fd, bytes);
    }
    spinUntil("reading the pipe", () => page.verified >= version || page.errors > 0);
    return page.errors;
  };
  return { peer, send };
}
