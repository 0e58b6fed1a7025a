/**
 * The C twin of the ring, compiled with gcc for this run: a library that is called through koffi in this process, and the
 * same source as the program on the other side. Bad case: no gcc, or a compiler that fails; the baselines are skipped by
 * that name.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";
import { eventually, PATIENCE_MS, type Peer, type Stage } from "./stage.ts";

/** The calls of the twin and its peers. */
export type NativeTwin = {
  /** Reads and verifies the twin's ring. */
  readonly reader: Peer;
  /** Answers a word on a cache line. */
  readonly pinger: Peer;
  /** Answers on a Unix socket. */
  readonly socket: Peer;
  /** Writes and publishes records; a multiple of `batch`. */
  readonly write: (count: number, options: { batch: number; isRelease: boolean }) => number;
  /** Waits until its reader verified everything. @returns errors, −1 when that takes too long */
  readonly wait: () => number;
  /** @returns round trips of one word that came back */
  readonly ping: (count: number) => number;
  /** @returns round trips of a record over the socket that came back */
  readonly exchange: (count: number) => number;
};

/** Why there is none. */
export type MissingTwin = { readonly missing: string };

const SOURCE = "bench/baseline/ring_twin.c";
const FLAGS = ["-std=gnu11", "-O3", "-march=native", "-Wall"];

/** Compiles the twin and starts its peers. @throws Error when a peer does not come up */
export async function startNativeTwin(stage: Stage): Promise<NativeTwin | MissingTwin> {
  const path = (name: string) => join(stage.directory, name);
  const program = path("ring_twin");
  try {
    const source = join(packageFolder(), SOURCE);
    execFileSync("gcc", [...FLAGS, source, "-o", program], { stdio: "pipe" });
    execFileSync("gcc", [...FLAGS, "-fPIC", "-shared", source, "-o", path("ring_twin.so")], { stdio: "pipe" });
  } catch (cause) {
    const isAbsent = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    return { missing: isAbsent ? "gcc is not there" : `gcc failed: ${String(cause).split("\n", 1)[0]}` };
  }
  const { default: koffi } = await import("koffi");
  const library = koffi.load(path("ring_twin.so"));
  const open = library.func("void *ring_open(const char *path, int create)");
  const write = library.func("int ring_write(void *ring, int count, int batch, int is_release)");
  const wait = library.func("int ring_wait(void *ring, int ms)");
  const awake = library.func("int ring_awake(void *ring, int ms)");
  const ping = library.func("int ping_run(void *ring, int count)");
  const listen = library.func("int socket_listen(const char *path)");
  const accept = library.func("int socket_accept(int fd, int ms)");
  const run = library.func("int socket_run(int fd, int count)");
  const openRing = (name: string): unknown => {
    const ring: unknown = open(path(name), 1);
    if (ring === null) {
      throw new Error(`Cannot make the twin's ring: the system refused, was ${path(name)}`);
    }
    return ring;
  };
  const startOn = async (role: string, ring: unknown) => {
    const peer = { child: stage.start(program, [role, path(role)]), awake: () => mustWake(awake(ring, PATIENCE_MS)) };
    return await stage.ready(peer, () => awake(ring, 1) === 0);
  };
  const rings = { read: openRing("read"), ping: openRing("ping") };
  const listening = Number(listen(path("socket")));
  const child = stage.start(program, ["socket", path("socket")]);
  let connected = -1;
  await eventually(() => {
    connected = Number(accept(listening, 0));
    return connected >= 0;
  }, child);
  return {
    reader: await startOn("read", rings.read),
    pinger: await startOn("ping", rings.ping),
    // It blocks in its read when nothing comes, so it need not wake.
    socket: { child, awake: () => undefined },
    write: (count, { batch, isRelease }) => Number(write(rings.read, count, batch, isRelease ? 1 : 0)),
    wait: () => Number(wait(rings.read, PATIENCE_MS)),
    ping: (count) => Number(ping(rings.ping, count)),
    exchange: (count) => Number(run(connected, count)),
  };
}

function mustWake(code: unknown): void {
  if (code !== 0) {
    throw new Error(`Cannot measure across processes: a peer of the twin does not wake within ${PATIENCE_MS} ms`);
  }
}
