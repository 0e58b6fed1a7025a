/**
 * The other side of a ring, as a process of its own: it reads and verifies every record, echoes, sleeps or stands still.
 * It ends with the process that started it, even by SIGKILL. Bad case: a record out of its chain; it is counted in the
 * peer's page, and the benchmark fails.
 */
import { openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { DELTA_BYTES, DELTA_VERSION } from "../../assembly/layout.ts";
import { loadLibc, Sleeper } from "../../src/mapping/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { attachReader, type MappedReader, openMappedBench } from "./mapped_bench.ts";
import { PeerPage } from "./paged_peer.ts";
import type { RingDriver } from "./ring_driver.ts";

/** The file of the segment that an echo answers on. */
export const ECHO = "bench_echo";
/** Offsets in a message of the baselines: its number, and the number again at its end. */
export const MESSAGE = { bytes: DELTA_BYTES, version: DELTA_VERSION, last: DELTA_BYTES - 4 } as const;

const MEMORY_BYTES = 384 * 1024 * 1024;
const BATCH = 32;
/** Polls before the loop comes back from the kernel. */
const POLLS = 4096;
const BLOCK_BYTES = 65_536;
const SET_DEATH_SIGNAL = 1;
const SIGKILL = 9;
const SLEEP_MS = 100;

/** Plays a role until it is killed. @param words the segment's folder, name, and the name of the page */
export async function runPeer([role = "", directory = "", exchange = "", name = ""]: readonly string[]): Promise<void> {
  if (role === "port") {
    answerPort();
    return;
  }
  await dieWithParent();
  if (role === "echo") {
    const bench = await openMappedBench(directory, ECHO);
    const page = await PeerPage.open(bench.map, { directory, name, isFresh: false });
    follow(await attachReader(bench.map, { directory, exchange }), page, { limit: 1, answers: bench.driver });
    return;
  }
  const map = new MemoryMap(MEMORY_BYTES);
  const page = await PeerPage.open(map, { directory, name, isFresh: false });
  if (role === "pipe") {
    readPipe(exchange, page);
    return;
  }
  const source = await attachReader(map, { directory, exchange });
  if (role === "stall") {
    page.live();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  } else if (role === "wait") {
    await sleepFor(source, page);
  } else {
    follow(source, page, { limit: BATCH });
  }
}

/** Verifies what comes, and answers it when there is a kernel that produces. */
function follow(
  { map, driver, reader, view }: MappedReader,
  page: PeerPage,
  { limit, answers }: { limit: number; answers?: RingDriver },
): never {
  const out = map.reserve("polled", { bytes: limit * DELTA_BYTES }).address;
  const loops = answers ?? driver;
  const isAnswering = answers === undefined ? 0 : 1;
  for (let version = view.deltaTail; ; ) {
    version = loops.ringFollow(reader, out, limit, version, page.address, POLLS, isAnswering);
  }
}

async function sleepFor({ map, readers }: MappedReader, page: PeerPage): Promise<never> {
  const sleeper = new Sleeper(await loadLibc(), map.memory);
  for (;;) {
    sleeper.announce([readers]);
    page.live();
    sleeper.sleep([readers], SLEEP_MS);
  }
}

/** @param path of a FIFO */
function readPipe(path: string, page: PeerPage): void {
  page.live();
  const fd = openSync(path, "r");
  const block = new DataView(new ArrayBuffer(BLOCK_BYTES));
  for (let held = 0, version = 0; ; ) {
    held += readSync(fd, block, held, BLOCK_BYTES - held, null);
    const whole = Math.floor(held / MESSAGE.bytes);
    let wrong = 0;
    for (let at = 0; at < whole * MESSAGE.bytes; at += MESSAGE.bytes) {
      version += 1;
      wrong += isMessage(block, at, version) ? 0 : 1;
    }
    new Uint8Array(block.buffer).copyWithin(0, whole * MESSAGE.bytes, held);
    held -= whole * MESSAGE.bytes;
    page.tell(whole, wrong);
  }
}

/** In a worker thread: counts messages into shared words and wakes whoever waits for them. */
function answerPort(): void {
  const words = workerData as Int32Array;
  let version = 0;
  parentPort?.on("message", (bytes: Uint8Array) => {
    version += 1;
    if (!isMessage(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, version)) {
      Atomics.add(words, 1, 1);
    }
    if (Atomics.add(words, 0, 1) + 1 === Atomics.load(words, 2)) {
      Atomics.notify(words, 0);
    }
  });
}

function isMessage(view: DataView, at: number, version: number): boolean {
  return view.getUint32(at + MESSAGE.version, true) === version && view.getUint32(at + MESSAGE.last, true) === version;
}

async function dieWithParent(): Promise<void> {
  const { default: koffi } = await import("koffi");
  const prctl = koffi.load(null).func("int prctl(int option, unsigned long value)");
  prctl(SET_DEATH_SIGNAL, SIGKILL);
}
