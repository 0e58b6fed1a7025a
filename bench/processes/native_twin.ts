/**
 * The C twin of the ring, compiled with gcc for this run: a library that is called through koffi in this process, and the
 * same source as the program on the other side. It writes the segment that the kernel writes, and its reader reads both,
 * so that nothing differs between two writers but their code. Bad case: no gcc, or a compiler that fails; the baselines
 * are skipped by that name.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
} from "../../assembly/layout.ts";
import { packageFolder } from "../../src/assets.ts";
import { AHEAD_SHIFT } from "../../src/kernel/twin/producer.ts";
import { READERS_WAITING } from "../../src/mapping/readers_file.ts";
import { openMappedBench } from "./mapped_bench.ts";
import { type PagedPeer, PeerPage } from "./paged_peer.ts";
import { eventually, type Peer, type Stage } from "./stage.ts";

/** The calls of the twin and its peers. */
export type NativeTwin = {
  /** Reads and verifies the segment that the twin and the kernel write by turns. */
  readonly reader: PagedPeer;
  /** Answers a word on a cache line. */
  readonly pinger: Peer;
  /** Answers on a Unix socket. */
  readonly socket: Peer;
  /** Writes and publishes records; a multiple of `batch`. The kernel has to attach anew before it writes again. */
  readonly write: (count: number, options: { batch: number; isRelease: boolean }) => number;
  /** @returns round trips of one word that came back */
  readonly ping: (count: number) => number;
  /** @returns round trips of a record over the socket that came back whole */
  readonly exchange: (count: number) => number;
};

/** Why there is none. */
export type MissingTwin = { readonly missing: string };

const SOURCE = "bench/baseline/ring_twin.c";
const FLAGS = ["-std=gnu11", "-O3", "-march=native", "-Wall"];
const LAYOUT = {
  DELTA_TAIL: HEADER_DELTA_TAIL,
  DELTA_TAIL_INTENT: HEADER_DELTA_TAIL_INTENT,
  DELTA_CAPACITY: HEADER_DELTA_CAPACITY,
  DELTA_RING_OFFSET: HEADER_DELTA_RING_OFFSET,
  READERS_WAITING,
  AHEAD_SHIFT,
} as const;
/** The name of the segment that both write. */
const SHARED = "bench_both";
const run = promisify(execFile);

/** Compiles the twin and starts its peers. @throws Error when a peer does not come up */
export async function startNativeTwin(stage: Stage): Promise<NativeTwin | MissingTwin> {
  const path = (name: string) => join(stage.directory, name);
  const program = path("ring_twin");
  const library = path("ring_twin.so");
  const missing = await compile(program, library);
  if (missing !== undefined) {
    return { missing };
  }
  const { directory } = stage;
  const bench = await openMappedBench(directory, SHARED);
  const calls = await loadCalls(library, { segment: path(`${SHARED}.seg`), readers: path(`${SHARED}.readers`) });
  const startPaged = async (role: string, words: readonly string[]): Promise<PagedPeer> => {
    const page = await PeerPage.open(bench.map, { directory, name: role, isFresh: true });
    const child = stage.start(program, [role, path(`${role}.page`), ...words]);
    const peer = await stage.ready({ child, awake: () => page.awake() }, () => page.beat > 0);
    return { peer, page, bench };
  };
  const listening = calls.listen(path("socket"));
  const child = stage.start(program, ["socket", path("socket")]);
  const [reader, { peer: pinger }] = await Promise.all([
    startPaged("read", [path(`${SHARED}.seg`)]),
    startPaged("ping", []),
  ]);
  let connected = -1;
  await eventually(() => {
    connected = calls.accept(listening);
    return connected >= 0;
  }, child);
  const ping = calls.pingOn(path("ping.page"));
  return {
    reader,
    pinger,
    // It blocks in its read when nothing comes, so it need not wake.
    socket: { child, awake: () => undefined },
    write: calls.write,
    ping,
    exchange: (count) => calls.exchange(connected, count),
  };
}

/** Compiled once, linked twice. @returns why it could not be compiled */
async function compile(program: string, library: string): Promise<string | undefined> {
  const source = join(packageFolder(), SOURCE);
  const flags = [...FLAGS, ...Object.entries(LAYOUT).map(([name, value]) => `-D${name}=${value}`)];
  try {
    const object = `${program}.o`;
    await run("gcc", [...flags, "-fPIC", "-c", source, "-o", object]);
    await Promise.all([run("gcc", [object, "-o", program]), run("gcc", ["-shared", object, "-o", library])]);
    return undefined;
  } catch (cause) {
    const isAbsent = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    return isAbsent ? "gcc is not there" : `gcc failed: ${String(cause).split("\n", 1)[0]}`;
  }
}

async function loadCalls(library: string, { segment, readers }: { segment: string; readers: string }) {
  const { default: koffi } = await import("koffi");
  const loaded = koffi.load(library);
  const openRing = loaded.func("void *ring_open(const char *segment, const char *readers)");
  const openPage = loaded.func("void *page_open(const char *path)");
  const write = loaded.func("int ring_write(const void *ring, int count, int batch, int is_release)");
  const ping = loaded.func("int ping_run(void *page, int count)");
  const listen = loaded.func("int socket_listen(const char *path)");
  const accept = loaded.func("int socket_accept(int fd, int ms)");
  const exchange = loaded.func("int socket_run(int fd, int count)");
  const ring = mustOpen(openRing(segment, readers), segment);
  return {
    write: (count: number, { batch, isRelease }: { batch: number; isRelease: boolean }) =>
      Number(write(ring, count, batch, isRelease ? 1 : 0)),
    pingOn: (path: string) => {
      const page = mustOpen(openPage(path), path);
      return (count: number) => Number(ping(page, count));
    },
    listen: (path: string) => Number(listen(path)),
    accept: (fd: number) => Number(accept(fd, 0)),
    exchange: (fd: number, count: number) => Number(exchange(fd, count)),
  };
}

function mustOpen(opened: unknown, path: string): unknown {
  if (opened === null) {
    throw new Error(`Cannot open a file of the twin: the system refused, was ${path}`);
  }
  return opened;
}
