/**
 * The few calls of the C library that Node lacks: mmap, flock, posix_fallocate, madvise and the futex. They come through
 * koffi, which is loaded when first asked for, so that everything else works where it cannot load.
 * Bad case: a machine that is not Linux on x64, or an addon that does not load; the error says which of them it is, and
 * that one process with worker threads still works.
 */
import { getSystemErrorMap } from "node:util";
import { MappingError } from "./errors.ts";

/** Protection of a mapping. */
export const PROTECTION = { read: 1, readWrite: 3 } as const;

const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const LOCK_EXCLUSIVE_NOW = 2 | 4;
const ADVICE_POPULATE_READ = 22;
const ADVICE_POPULATE_WRITE = 23;
const SYSCALL_FUTEX = 202;
const SYSCALL_FUTEX_WAITV = 449;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX2_SIZE_U32 = 2;
const CLOCK_MONOTONIC = 1;
const WAITER_BYTES = 24;
const EVERYBODY = 2_147_483_647;

/** The calls, with numbers and addresses made safe. Thread: any; an instance is shared within a thread. */
export interface Libc {
  /** Address of a buffer's first byte in this process. */
  addressOf(buffer: ArrayBufferLike): bigint;
  /** The u64 at an address of this process. */
  peek(address: bigint): bigint;
  /** Maps a file's beginning over a range of addresses. @throws MappingError when the system refuses or moves it */
  mapFile(address: bigint, options: { bytes: number; fd: number; protection: number }): void;
  /** Puts fresh zeroed private memory over a range of addresses. @throws MappingError when the system refuses */
  mapAnonymous(address: bigint, bytes: number): void;
  /** Brings the pages of a range in before they are touched; does nothing where the system cannot. */
  populate(address: bigint, options: { bytes: number; forWriting: boolean }): void;
  /** Takes the exclusive lock of an open file without waiting. @returns false when another holds it */
  lock(fd: number): boolean;
  /** Reserves room for a file and sets its length. @returns 0, or the error's number */
  allocate(fd: number, bytes: number): number;
  /** Wakes whoever waits on a word. */
  wake(address: bigint): void;
  /** Blocks this thread while the word is as expected, at most so long. */
  waitOn(ticket: Ticket, timeoutMs: number): void;
  /** Several words can be waited on at once (Linux 5.16). */
  readonly canWaitOnMany: boolean;
  /** Waits on words in a thread of the pool: until one is woken or not as expected, at most so long; then calls `done`. */
  waitOnAny(tickets: readonly Ticket[], options: { timeoutMs: number; done: () => void }): void;
}

/** A 32-bit word to wait on: where it lies, and what it must be for the wait to begin. */
export type Ticket = { readonly address: bigint; readonly expected: number };

let loading: Promise<Libc> | undefined;

/**
 * The calls.
 * @throws MappingError `unsupported` naming what is missing
 */
export async function loadLibc(): Promise<Libc> {
  loading ??= load();
  return await loading;
}

async function load(): Promise<Libc> {
  requirePlatform(process.platform, process.arch);
  return bind(await importKoffi());
}

async function importKoffi(): Promise<Koffi> {
  try {
    const { default: koffi } = await import("koffi");
    return koffi;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MappingError(
      `Cannot share memory between processes: the addon koffi does not load (${reason}); one process with worker threads works, was ${process.version}`,
      { reason: "unsupported", cause },
    );
  }
}

/**
 * Refuses machines on which the rings are not proven: other systems have no futex, other processors another memory order.
 * @throws MappingError `unsupported`
 */
export function requirePlatform(platform: string, arch: string): void {
  if (platform !== "linux" || arch !== "x64") {
    throw new MappingError(
      `Cannot share memory between processes: it needs Linux on x64 (mmap, futex, total store order); one process with worker threads works, was ${platform} on ${arch}`,
      { reason: "unsupported" },
    );
  }
}

/** The name and meaning of an error number, e.g. `ENOSPC: no space left on device`. */
export function errorText(number: number): string {
  const [name, meaning] = getSystemErrorMap().get(-number) ?? [`error ${number}`, "unknown"];
  return `${name}: ${meaning}`;
}

type Koffi = typeof import("koffi")["default"];
type ForeignFunction = ReturnType<ReturnType<Koffi["load"]>["func"]>;

function bind(koffi: Koffi): Libc {
  const library = koffi.load(null);
  const mmap = library.func(
    "intptr_t mmap(intptr_t address, size_t bytes, int protection, int flags, int fd, int64_t offset)",
  );
  const madvise = library.func("int madvise(intptr_t address, size_t bytes, int advice)");
  const flock = library.func("int flock(int fd, int operation)");
  const fallocate = library.func("int posix_fallocate(int fd, int64_t offset, int64_t bytes)");
  const futex = library.func("long syscall(long number, intptr_t word, int operation, int value, const void *timeout)");
  const waitv = library.func(
    "long syscall(long number, const void *waiters, uint32_t count, uint32_t flags, const void *timeout, int clock)",
  );
  const map = (address: bigint, bytes: number, how: { protection: number; flags: number; fd: number }) => {
    const got = BigInt(mmap(address, bytes, how.protection, how.flags | MAP_FIXED, how.fd, 0));
    if (got !== address) {
      const text = got === -1n ? errorText(koffi.errno()) : `it lies at ${got}`;
      throw new MappingError(`Cannot map ${bytes} bytes: ${text}, was address ${address}`, { reason: "failed" });
    }
  };
  return {
    addressOf: (buffer) => koffi.address(new Uint8Array(buffer)),
    peek: (address) => BigInt(koffi.decode(address, "uint64_t") as number | bigint),
    mapFile: (address, { bytes, fd, protection }) => map(address, bytes, { protection, flags: MAP_SHARED, fd }),
    mapAnonymous: (address, bytes) =>
      map(address, bytes, { protection: PROTECTION.readWrite, flags: MAP_PRIVATE | MAP_ANONYMOUS, fd: -1 }),
    populate: (address, { bytes, forWriting }) =>
      void madvise(address, bytes, forWriting ? ADVICE_POPULATE_WRITE : ADVICE_POPULATE_READ),
    lock: (fd) => flock(fd, LOCK_EXCLUSIVE_NOW) === 0,
    allocate: (fd, bytes) => fallocate(fd, 0, bytes),
    wake: (address) => void futex(SYSCALL_FUTEX, address, FUTEX_WAKE, EVERYBODY, null),
    waitOn: ({ address, expected }, timeoutMs) =>
      void futex(SYSCALL_FUTEX, address, FUTEX_WAIT, expected, timeText(BigInt(Math.round(timeoutMs * 1e6)))),
    canWaitOnMany: probe(koffi, waitv),
    waitOnAny: (tickets, { timeoutMs, done }) => {
      const waiters = waiterList(tickets);
      const until = timeText(process.hrtime.bigint() + BigInt(Math.round(timeoutMs * 1e6)));
      // The buffers are named in the callback so that they live as long as the call.
      const ended = () => (waiters.length > 0 && until.length > 0 ? done() : undefined);
      waitv.async(SYSCALL_FUTEX_WAITV, waiters, tickets.length, 0, until, CLOCK_MONOTONIC, ended);
    },
  };
}

/** A word that is another already must be refused as such; a system without the call refuses the call. */
function probe(koffi: Koffi, waitv: ForeignFunction): boolean {
  const word = new Uint8Array(4);
  const waiters = waiterList([{ address: koffi.address(word), expected: 1 }]);
  const ended: unknown = waitv(SYSCALL_FUTEX_WAITV, waiters, 1, 0, timeText(0n), CLOCK_MONOTONIC);
  return ended === -1 && koffi.errno() === koffi.os.errno.EAGAIN;
}

/** A `struct timespec`. */
function timeText(ns: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigInt64(0, ns / 1_000_000_000n, true);
  view.setBigInt64(8, ns % 1_000_000_000n, true);
  return new Uint8Array(view.buffer);
}

/** An array of `struct futex_waitv`. */
function waiterList(tickets: readonly Ticket[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(tickets.length * WAITER_BYTES));
  for (const [index, { address, expected }] of tickets.entries()) {
    view.setBigUint64(index * WAITER_BYTES, BigInt(expected >>> 0), true);
    view.setBigUint64(index * WAITER_BYTES + 8, address, true);
    view.setUint32(index * WAITER_BYTES + 16, FUTEX2_SIZE_U32, true);
  }
  return new Uint8Array(view.buffer);
}
