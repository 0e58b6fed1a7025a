/**
 * Hostile segment files: a good segment with a few fields changed, cut or made longer, ten thousand times, read in every
 * way that the reader offers. Nothing may crash, hang or throw; what is refused is refused with its reason.
 */
import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  CELL_BYTES,
  DELTA_BYTES,
  HEADER_CELLS_OFFSET,
  HEADER_DELTA_RING_OFFSET,
  HEADER_IMAGES_OFFSET,
  HEADER_TABLE_OFFSET,
  HEADER_TRADE_RING_OFFSET,
  TABLE_BYTES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import { openSegment } from "../../src/reader/mod.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { freshFolder, MappedProducer, removeFolders } from "./mapped_rig.ts";

afterAll(removeFolders);

const FILES = 10_000;
const FILE = "coinbase_exchange.seg";
const HEADER_FIELDS = 600;

/** Numbers that programs trip over. */
const VALUES = [0n, 1n, 63n, 64n, 255n, 4096n, 65_536n, 2n ** 20n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n].concat([
  2n ** 40n,
  2n ** 52n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 64n,
  2n ** 64n - 1n,
]);

/** A segment with books, images, records and trades. */
async function goodSegment(): Promise<Buffer> {
  const directory = freshFolder();
  const producer = await MappedProducer.start(directory);
  producer.snapshot(300);
  producer.snapshot(20, "ETH-USD");
  for (let index = 0; index < 400; index++) {
    producer.update(index, index % 3 === 0 ? "ETH-USD" : "BTC-USD");
  }
  producer.trade(1);
  const bytes = readFileSync(join(directory, FILE));
  producer.close();
  return bytes;
}

type Place = { readonly from: number; readonly bytes: number };

/** Where the fields stand that lead somewhere. */
function places(bytes: Buffer): Place[] {
  const offset = (field: number) => Number(bytes.readBigUInt64LE(field));
  const images = offset(HEADER_IMAGES_OFFSET);
  return [
    { from: 0, bytes: HEADER_FIELDS },
    { from: 0, bytes: HEADER_FIELDS },
    { from: offset(HEADER_TABLE_OFFSET), bytes: 2 * TABLE_BYTES },
    { from: offset(HEADER_TABLE_OFFSET), bytes: 2 * TABLE_BYTES },
    { from: offset(HEADER_CELLS_OFFSET), bytes: 2 * CELL_BYTES },
    { from: offset(HEADER_DELTA_RING_OFFSET), bytes: 256 * DELTA_BYTES },
    { from: offset(HEADER_TRADE_RING_OFFSET), bytes: 8 * TRADE_BYTES },
    { from: images, bytes: 64 },
    { from: images, bytes: 32 * 1024 },
  ];
}

/** A copy with one to four fields changed. */
function mutated(good: Buffer, random: SeededRandom): Buffer {
  const bytes = Buffer.from(good);
  const where = places(good);
  for (let count = 1 + random.below(4); count > 0; count--) {
    const place = where[random.below(where.length)] ?? { from: 0, bytes: 8 };
    const value = VALUES[random.below(VALUES.length)] ?? 0n;
    const at = place.from + random.below(place.bytes);
    switch (random.below(4)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        bytes.writeUInt32LE(Number(value & 0xffff_ffffn), at & ~3);
        break;
      case 2:
        bytes.writeBigUInt64LE(value, at & ~7);
        break;
      default:
        bytes.writeBigUInt64LE((bytes.readBigUInt64LE(at & ~7) + value) & 0xffff_ffff_ffff_ffffn, at & ~7);
    }
  }
  return bytes;
}

describe("A reader of hostile segments", () => {
  it(`neither fails nor hangs on ${FILES} files with changed headers, tables, cells, records and images`, async () => {
    const good = await goodSegment();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new SeededRandom(seed);
    const directory = freshFolder();
    const path = join(directory, FILE);
    const reader = await openSegment("coinbase", { directory, from: "image", arenaBytes: 2 ** 27 });
    const counts = { refused: 0, read: 0, books: 0 };
    for (let file = 0; file < FILES; file++) {
      write(`${path}.next`, mutated(good, random), random);
      renameSync(`${path}.next`, path);
      const label = `seed ${seed}, file ${file}`;
      expect(() => {
        reader.refresh();
        for (let rounds = 0; rounds < 3; rounds++) {
          reader.poll((event) => {
            counts[event.kind === "refused" ? "refused" : "read"] += 1;
          });
        }
        for (const { name } of reader.instruments()) {
          reader.top(name);
          counts.books += reader.book(name, 5) === undefined ? 0 : 1;
        }
        reader.poll(() => undefined);
      }, label).not.toThrow();
    }
    reader.close();
    // Both ways must have been gone often, else the mutations miss their purpose.
    expect(counts.refused).toBeGreaterThan(FILES / 10);
    expect(counts.books).toBeGreaterThan(FILES / 10);
  }, 300_000);

  /** Now and then shorter or longer than its header says. */
  function write(path: string, bytes: Buffer, random: SeededRandom): void {
    const length = random.below(20) === 0 ? random.below(bytes.length + 8192) : bytes.length;
    const fd = openSync(path, "w", 0o600);
    writeSync(fd, bytes, 0, Math.min(length, bytes.length));
    if (length > bytes.length) {
      writeSync(fd, Buffer.alloc(length - bytes.length));
    }
    closeSync(fd);
  }

  it("leaves alone what is no regular file", async () => {
    const directory = freshFolder();
    const good = await goodSegment();
    writeFileSync(join(directory, "elsewhere"), good);
    const { symlinkSync, mkdirSync } = await import("node:fs");
    symlinkSync(join(directory, "elsewhere"), join(directory, "coinbase_exchange.seg"));
    mkdirSync(join(directory, "coinbase_exchange.1of2.seg"));
    const reader = await openSegment("coinbase", { directory, arenaBytes: 2 ** 25 });
    const reasons: string[] = [];
    reader.poll((event) => reasons.push(event.kind === "refused" ? event.reason : event.kind));
    reader.close();
    expect(reasons.length).toBe(2);
    expect(reasons.join("\n")).toMatch(/ELOOP/);
    expect(reasons.join("\n")).toMatch(/no regular file/);
  });
});
