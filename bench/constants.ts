/**
 * What the machine costs by itself, measured at the start of every run: a word between two cores, copied memory, a call
 * of the system, a byte over loopback and back; the best of a few rounds. Absolute figures mean little without them.
 * Bad case: a machine with one core; two spinning threads take turns by the scheduler's slices, so that ping is left out.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

/** Constants of the machine; undefined where it does not tell. */
export type MachineConstants = {
  /** There and half back: one way of a word between two spinning threads, ns. */
  coreToCoreNs?: number;
  /** Copying 64 MiB from one place to another, GB/s. */
  memcpyGbPerSecond: number;
  /** getppid less a call that stays in the process, ns. */
  syscallNs?: number;
  /** One byte over TCP on loopback and back, through Node, µs. */
  loopbackUs: number;
};

const ROUNDS = 15;
/** Enough of one constant, ms: on a busy machine a spinning thread may wait for its turn. */
const ENOUGH_MS = 400;
const PINGS = 2000;
const COPY_BYTES = 64 << 20;
const CALLS = 50_000;
const TRIPS = 500;
const DIGITS = 3;

/** Answers each odd number with the next even one, until it reads a negative one. */
const ANSWERER = `
const { workerData } = require("node:worker_threads");
const cell = new Int32Array(workerData);
for (let last = 0; ; ) {
  const seen = Atomics.load(cell, 0);
  if (seen < 0) break;
  if (seen !== last && (seen & 1) === 1) { last = seen + 1; Atomics.store(cell, 0, last); }
}`;

/** Measures all of them. Cost: less than a second. */
export async function measureConstants(): Promise<MachineConstants> {
  const coreToCoreNs = availableParallelism() > 1 ? await coreToCore() : undefined;
  const syscallNs = await systemCall();
  return {
    ...(coreToCoreNs === undefined ? {} : { coreToCoreNs: rounded(coreToCoreNs) }),
    memcpyGbPerSecond: rounded(copied()),
    ...(syscallNs === undefined ? {} : { syscallNs: rounded(syscallNs) }),
    loopbackUs: rounded(await loopback()),
  };
}

/** As a line of text. */
export function constantsText(constants: MachineConstants): string {
  const { coreToCoreNs, memcpyGbPerSecond, syscallNs, loopbackUs } = constants;
  return [
    ...(coreToCoreNs === undefined ? [] : [`core to core ${coreToCoreNs} ns`]),
    `memcpy ${memcpyGbPerSecond} GB/s`,
    ...(syscallNs === undefined ? [] : [`system call ${syscallNs} ns`]),
    `loopback round trip ${loopbackUs} µs`,
  ].join(", ");
}

async function coreToCore(): Promise<number> {
  const cell = new Int32Array(new SharedArrayBuffer(64));
  const worker = new Worker(ANSWERER, { eval: true, workerData: cell.buffer });
  await once(worker, "online");
  const best = least((round) => {
    const first = round * PINGS * 2;
    const start = performance.now();
    for (let ping = first; ping < first + PINGS * 2; ping += 2) {
      Atomics.store(cell, 0, ping + 1);
      while (Atomics.load(cell, 0) !== ping + 2);
    }
    return ((performance.now() - start) * 1e6) / (PINGS * 2);
  });
  Atomics.store(cell, 0, -1);
  await once(worker, "exit");
  return best;
}

function copied(): number {
  const from = Buffer.alloc(COPY_BYTES, 1);
  const to = Buffer.alloc(COPY_BYTES, 2);
  const ms = least(() => {
    const start = performance.now();
    from.copy(to);
    return performance.now() - start;
  });
  return COPY_BYTES / (ms * 1e6);
}

async function systemCall(): Promise<number | undefined> {
  const { default: koffi } = await import("koffi");
  if (process.platform !== "linux") {
    return undefined;
  }
  const libc = koffi.load("libc.so.6");
  const outside = libc.func("int getppid()");
  const inside = libc.func("int rand()");
  const perCall = (call: () => unknown) => {
    const start = performance.now();
    for (let index = 0; index < CALLS; index++) {
      call();
    }
    return ((performance.now() - start) * 1e6) / CALLS;
  };
  return Math.max(0, least(() => perCall(outside)) - least(() => perCall(inside)));
}

async function loopback(): Promise<number> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const byte = Buffer.from([1]);
  let best = Number.POSITIVE_INFINITY;
  for (let trip = 0; trip < TRIPS; trip++) {
    const start = performance.now();
    socket.write(byte);
    await once(socket, "data");
    best = Math.min(best, (performance.now() - start) * 1000);
  }
  socket.destroy();
  server.close();
  return best;
}

/** The least of a few rounds: what the machine can do when nobody disturbs it. */
function least(round: (index: number) => number): number {
  let best = Number.POSITIVE_INFINITY;
  const start = performance.now();
  for (let index = 0; index < ROUNDS && (index === 0 || performance.now() - start < ENOUGH_MS); index++) {
    best = Math.min(best, round(index));
  }
  return best;
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
