/** Directory, names, locks, readers file, heartbeat and the checks before a mapping: everything around the bytes. */
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { makeDirectory, segmentDirectory, trustDirectory } from "../../src/mapping/directory.ts";
import { MappingError } from "../../src/mapping/errors.ts";
import { heartbeatAgeMs } from "../../src/mapping/heartbeat.ts";
import { loadLibc, requirePlatform } from "../../src/mapping/libc.ts";
import { FileLock } from "../../src/mapping/lock.ts";
import { parseSegmentName, parseShard, segmentName, shardOf } from "../../src/mapping/names.ts";
import { READERS_BYTES, READERS_SLOTS, ReaderPlace, readSlots } from "../../src/mapping/readers_file.ts";
import { parseMaps, rangeFault } from "../../src/mapping/region.ts";
import { freshFolder, removeFolders } from "./mapped_rig.ts";

afterAll(removeFolders);

describe("The segment directory", () => {
  const environment = { TMPDIR: "/var/tmp" };

  it("is the one that was named, before the environment's, before the default", () => {
    const named = { ALPHAPULSE_SEGMENT_DIRECTORY: "/from/environment" };
    expect(segmentDirectory({ explicit: "/from/flag", environment: named })).toBe("/from/flag");
    expect(segmentDirectory({ explicit: "", environment: named })).toBe("/from/environment");
  });

  it("is in shared memory when that can be written to, and ours below the temporary directory when not", () => {
    const folder = freshFolder();
    expect(segmentDirectory({ environment, sharedMemory: folder, userId: 7 })).toBe(join(folder, "alphapulse"));
    expect(segmentDirectory({ environment, sharedMemory: "/no/such", userId: 7 })).toBe("/var/tmp/alphapulse-7");
    expect(segmentDirectory({ environment: {}, sharedMemory: "/no/such", userId: 7 })).toBe("/tmp/alphapulse-7");
  });

  it("is not the one in shared memory when that belongs to somebody else", () => {
    const folder = freshFolder();
    mkdirSync(join(folder, "alphapulse"));
    const owner = statSync(folder).uid;
    expect(segmentDirectory({ environment, sharedMemory: folder, userId: owner })).toBe(join(folder, "alphapulse"));
    expect(segmentDirectory({ environment, sharedMemory: folder, userId: owner + 1 })).toMatch(/^\/var\/tmp\//);
  });

  it("is made for its owner alone and refused when others may write, when it is a link or a file, or of another user", () => {
    const folder = join(freshFolder(), "alphapulse");
    expect(trustDirectory(folder, { isExplicit: false })).toBe(false);
    makeDirectory(folder, { isExplicit: false });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    chmodSync(folder, 0o770);
    const isRefused = (options: { isExplicit: boolean; userId?: number }, path = folder) =>
      expect(() => trustDirectory(path, options)).toThrow(/^Cannot use the segment directory: .*, was /);
    isRefused({ isExplicit: false });
    expect(trustDirectory(folder, { isExplicit: true })).toBe(true);
    chmodSync(folder, 0o700);
    isRefused({ isExplicit: false, userId: statSync(folder).uid + 1 });
    symlinkSync(folder, `${folder}-link`);
    isRefused({ isExplicit: false }, `${folder}-link`);
    writeFileSync(`${folder}-file`, "");
    isRefused({ isExplicit: true }, `${folder}-file`);
    expect(() => makeDirectory(join(`${folder}-file`, "below"), { isExplicit: true })).toThrow(MappingError);
  });
});

describe("Segment names", () => {
  it("come back as they were written", () => {
    for (const shard of [
      { index: 0, count: 1 },
      { index: 1, count: 4 },
      { index: 9, count: 10 },
    ]) {
      const name = segmentName("kraken", shard);
      expect(parseSegmentName(`${name}.seg`)).toEqual({ name, exchange: "kraken", ...shard });
    }
  });

  it("are nothing else", () => {
    const others = ["kraken.lock", ".kraken.1.0.part", "kraken.0of2.seg", "kraken.3of2.seg", "kraken.1of1.seg"];
    for (const file of [...others, "Kraken.seg", "kraken.seg.old", "../kraken.seg", ".seg", `${"x".repeat(32)}.seg`]) {
      expect([file, parseSegmentName(file)]).toEqual([file, undefined]);
    }
  });

  it("of shards divide the instruments without overlap or rest, whatever order they come in", () => {
    const instruments = ["SOL-USD", "BTC-USD", "ETH-USD", "ADA-USD", "XRP-USD"];
    const shards = [0, 1, 2].map((index) => shardOf(instruments, { index, count: 3 }));
    expect(shards.flat().sort()).toEqual([...instruments].sort());
    expect(shardOf([...instruments].reverse(), { index: 1, count: 3 })).toEqual(shards[1]);
    expect(parseShard("2/4")).toEqual({ index: 1, count: 4 });
    for (const text of ["0/2", "3/2", "1/11", "1", "a/b", "1/0", "-1/2"]) {
      expect(() => parseShard(text)).toThrow(ConfigError);
    }
  });
});

describe("The lock", () => {
  it("has one holder, is free again when it is given back, and its file stays", async () => {
    const libc = await loadLibc();
    const path = join(freshFolder(), "kraken.lock");
    const held = FileLock.take(libc, path);
    expect(held).toBeDefined();
    expect(FileLock.take(libc, path)).toBeUndefined();
    held?.release();
    expect(existsSync(path)).toBe(true);
    const again = FileLock.take(libc, path);
    expect(again).toBeDefined();
    again?.release();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("is never held twice when its file was deleted by somebody: the newer file counts", async () => {
    const libc = await loadLibc();
    const path = join(freshFolder(), "kraken.lock");
    const lost = FileLock.take(libc, path);
    rmSync(path);
    const held = FileLock.take(libc, path);
    expect(held).toBeDefined();
    expect(FileLock.take(libc, path)).toBeUndefined();
    lost?.release();
    expect(FileLock.take(libc, path)).toBeUndefined();
    held?.release();
  });

  it("is refused with its path when it cannot be opened", async () => {
    const libc = await loadLibc();
    expect(() => FileLock.take(libc, "/no/such/folder/kraken.lock")).toThrow(
      /^Cannot open a lock: .*, was \/no\/such\/folder\/kraken\.lock$/,
    );
  });
});

describe("Another machine", () => {
  it("is told what is missing", () => {
    for (const [platform, arch] of [
      ["darwin", "arm64"],
      ["linux", "arm64"],
      ["win32", "x64"],
    ] as const) {
      expect(() => requirePlatform(platform, arch)).toThrow(
        new RegExp(`needs Linux on x64.*was ${platform} on ${arch}`),
      );
    }
    expect(() => requirePlatform("linux", "x64")).not.toThrow();
  });
});

describe("The readers file", () => {
  const options = { kind: 1, nowNs: 20_000_000_000n, isAlive: () => true };

  it("gives every reader a slot, shows what it reports, and frees it", () => {
    const view = new DataView(new ArrayBuffer(READERS_BYTES));
    const one = ReaderPlace.take(view, { ...options, pid: 11, name: "one" });
    const two = ReaderPlace.take(view, { ...options, pid: 12, name: "zwö" });
    one?.report({ nowNs: 30n, epoch: 5n, deltaCursor: 7, deltaLost: 1, tradeCursor: 8, tradeLost: 2, laps: 3 });
    two?.setWaiting(true);
    expect(readSlots(view).map(({ pid, name, isWaiting }) => [pid, name, isWaiting])).toEqual([
      [11, "one", false],
      [12, "zw", true],
    ]);
    expect(readSlots(view)[0]).toMatchObject({ epoch: 5n, deltaCursor: 7, deltaLost: 1, tradeCursor: 8, laps: 3 });
    one?.leave();
    expect(readSlots(view).map(({ pid }) => pid)).toEqual([12]);
  });

  it("gives away slots of the dead and the silent, and none when all are taken", () => {
    const view = new DataView(new ArrayBuffer(READERS_BYTES));
    const take = (pid: number, more: Partial<typeof options> = {}) =>
      ReaderPlace.take(view, { ...options, ...more, pid, name: "x" });
    for (let pid = 1; pid <= READERS_SLOTS; pid++) {
      expect(take(pid)).toBeDefined();
    }
    expect(take(100)).toBeUndefined();
    expect(take(101, { isAlive: (pid?: number) => pid !== 5 } as Partial<typeof options>)).toBeDefined();
    expect(readSlots(view)[4]?.pid).toBe(101);
    expect(take(102, { nowNs: 40_000_000_000n })).toBeDefined();
    expect(readSlots(view)[0]?.pid).toBe(102);
  });

  it("of garbage is read without failing", () => {
    const bytes = new Uint8Array(READERS_BYTES).map((_, index) => (index * 151) & 0xff);
    expect(readSlots(new DataView(bytes.buffer)).every(({ name }) => /^[ -~]*$/.test(name))).toBe(true);
  });
});

describe("The age of a heartbeat", () => {
  const times = { wallAnchorNs: 1_000_000n, monotonicAnchorNs: 500n };

  it("counts on the monotonic clock, whatever the wall clock says", () => {
    const heartbeatNs = times.wallAnchorNs + 3_000_000n;
    expect(heartbeatAgeMs({ ...times, heartbeatNs }, 500n + 5_000_000n)).toBe(2);
    expect(heartbeatAgeMs({ ...times, heartbeatNs }, 500n + 2_900_000n)).toBe(0);
  });

  it("is infinite before the first and after a reboot", () => {
    expect(heartbeatAgeMs({ ...times, heartbeatNs: 0n }, 9n)).toBe(Number.POSITIVE_INFINITY);
    const heartbeatNs = times.wallAnchorNs + 10_000_000_000n;
    expect(heartbeatAgeMs({ ...times, heartbeatNs }, 600n)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("A range to be mapped over", () => {
  const text = [
    "1000-3000 rw-p 00000000 00:00 0 ",
    "3000-5000 rw-p 00000000 00:00 0                          [anon: v8]",
    "5000-6000 r--p 00000000 00:00 0 ",
    "7000-8000 rw-s 00000000 00:1a 77                         /dev/shm/alphapulse/kraken.seg",
  ].join("\n");
  const fault = (from: bigint, to: bigint) => rangeFault(parseMaps(text), { from, to });

  it("must be anonymous and writable from its first byte to its last", () => {
    expect(fault(0x1000n, 0x5000n)).toBeUndefined();
    expect(fault(0x1800n, 0x2000n)).toBeUndefined();
    expect(fault(0x4000n, 0x6000n)).toMatch(/a part of it is r--p/);
    expect(fault(0x7000n, 0x8000n)).toMatch(/kraken\.seg/);
    expect(fault(0x0n, 0x2000n)).toMatch(/not all mapped/);
    expect(fault(0x9000n, 0xa000n)).toMatch(/not all mapped/);
  });
});
