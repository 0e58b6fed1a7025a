/**
 * What is said of producers in waiting: the files of their segments as they are, and as somebody may have spoilt them.
 * Bad case: a file that claims more than it holds; what lies behind it in the memory would be read as its books.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  HEADER_HEARTBEAT,
  HEADER_INSTRUMENT_COUNT,
  HEADER_SEGMENT_BYTES,
  HEADER_TABLE_OFFSET,
} from "../../assembly/layout.ts";
import { readStandbys } from "../../src/commands/standby_report.ts";
import { type Libc, loadLibc } from "../../src/mapping/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { createSegment, segmentBytes } from "../../src/segment/writer.ts";
import { freshFolder, MAPPED_SEGMENT, removeFolders } from "./mapped_rig.ts";

const NAME = "kraken";
const PID = 4321;
const BYTES = segmentBytes(MAPPED_SEGMENT);
const MEMORY_BYTES = 4 * BYTES;

let libc: Libc;

beforeAll(async () => {
  libc = await loadLibc();
});
afterAll(removeFolders);

/** The bytes of a segment that is live, with no books yet. */
function segment(spoil: (header: DataView) => void = () => undefined, exchange = NAME): Uint8Array {
  const buffer = new ArrayBuffer(BYTES);
  const identity = { exchange, epoch: 7n, pid: PID, wallAnchorNs: 0n, monotonicAnchorNs: 0n };
  createSegment(buffer, { address: 0, config: MAPPED_SEGMENT, identity });
  const header = new DataView(buffer);
  header.setBigUint64(HEADER_HEARTBEAT, process.hrtime.bigint(), true);
  spoil(header);
  return new Uint8Array(buffer);
}

/** Files of this process in a folder, that are still open. */
function openIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(`${directory}/`) ? [path] : [];
    } catch {
      return [];
    }
  });
}

/** What is reported of a folder with one file. @param make puts it there */
function reported(make: (path: string) => void, name = NAME) {
  const directory = freshFolder();
  const map = new MemoryMap(MEMORY_BYTES);
  const free = map.ranges.length;
  make(join(directory, `.${name}.${PID}.1.standby`));
  const reports = readStandbys({ libc, map, directory });
  expect([openIn(directory), map.ranges.length]).toEqual([[], free]);
  rmSync(directory, { recursive: true });
  return reports;
}

describe("readStandbys", () => {
  it("reports a standby that writes its segment", () => {
    const [report, ...others] = reported((path) => writeFileSync(path, segment()));
    expect(others).toEqual([]);
    expect(report).toMatchObject({ segment: NAME, pid: PID, epoch: "7", bytes: BYTES, synced: 0, books: 0 });
    expect(report?.heartbeatAgeMs).toBeLessThan(10_000);
  });

  it.each<[string, (path: string) => void]>([
    ["holds nothing", (path) => writeFileSync(path, "")],
    ["ends inside its header", (path) => writeFileSync(path, segment().subarray(0, 64))],
    ["was cut short", (path) => writeFileSync(path, segment().subarray(0, BYTES / 2))],
    [
      "claims more than it holds",
      (path) => {
        const claim = (header: DataView) => {
          header.setBigUint64(HEADER_SEGMENT_BYTES, BigInt(2 * BYTES), true);
          header.setBigUint64(HEADER_TABLE_OFFSET, BigInt(BYTES), true);
          header.setUint32(HEADER_INSTRUMENT_COUNT, 1, true);
        };
        writeFileSync(path, segment(claim));
      },
    ],
    ["belongs to another name", (path) => writeFileSync(path, segment(undefined, "binance"))],
    ["is no segment", (path) => writeFileSync(path, new Uint8Array(BYTES).fill(0xff))],
    [
      "is larger than any memory",
      (path) => {
        writeFileSync(path, segment());
        truncateSync(path, 2 ** 36);
      },
    ],
    ["is a folder", (path) => mkdirSync(path)],
    ["is a pipe", (path) => execFileSync("mkfifo", [path])],
    [
      "is a link",
      (path) => {
        writeFileSync(`${path}.away`, segment());
        symlinkSync(`${path}.away`, path);
      },
    ],
  ])("leaves a file out, and nothing of it behind, when it %s", (_, make) => {
    expect(reported(make)).toEqual([]);
  });

  it("leaves out the file of a shard that cannot be", () => {
    expect(reported((path) => writeFileSync(path, segment()), "kraken.3of2")).toEqual([]);
  });
});
