/**
 * What a reader of a mapped segment tells about its reading, where that is easily told wrong: laps in the middle of an event
 * that is longer than the ring, laps that images make smaller, and failures that are not the segment's.
 * Bad case: a loss that is told twice or too large, or a good segment that is let go.
 */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  HEADER_DELTA_TAIL_INTENT,
  IMAGE_RING_SEQUENCE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_OFFSET,
} from "../../assembly/layout.ts";
import { type OpenOptions, openSegment, type SegmentEvent, type SegmentReader } from "../../src/reader/mod.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { freshFolder, MAPPED_SEGMENT, MappedProducer, removeFolders } from "./mapped_rig.ts";

afterAll(removeFolders);

const POLLS_MAX = 1000;
const open: { close: () => unknown }[] = [];

afterEach(() => {
  for (const one of open.splice(0).reverse()) {
    one.close();
  }
});

async function market(from: OpenOptions["from"]): Promise<{ producer: MappedProducer; reader: SegmentReader }> {
  const directory = freshFolder();
  const producer = await MappedProducer.start(directory);
  open.push(producer);
  producer.snapshot(300);
  producer.snapshot(40, "ETH-USD");
  const reader = await openSegment("coinbase", {
    directory,
    arenaBytes: 2 ** 25,
    ...(from === undefined ? {} : { from }),
  });
  open.push(reader);
  readAll(reader);
  return { producer, reader };
}

function readAll(reader: SegmentReader): SegmentEvent[] {
  const events: SegmentEvent[] = [];
  for (let polls = 0; polls < POLLS_MAX && reader.poll((event) => events.push(event)) > 0; polls++) {
    // Until there is nothing.
  }
  return events;
}

/** Ring position behind the current image of an instrument. */
function imagePosition({ map, segment }: MappedProducer, index: number): number {
  const memory = new DataView(map.memory.buffer);
  const { address, currentImage } = new SegmentView(map.memory.buffer, segment.address).instrument(index);
  const at = (offset: number) => Number(memory.getBigUint64(address + offset, true));
  const image = segment.address + at(TABLE_IMAGE_OFFSET) + (currentImage - 1) * at(TABLE_IMAGE_BYTES);
  return Number(memory.getBigUint64(image + IMAGE_RING_SEQUENCE, true));
}

describe("A reader that is overtaken", () => {
  it("tells nothing while an event longer than the ring is being written, and loses nothing when it was not", async () => {
    const { producer, reader } = await market("tail");
    producer.update(1);
    const memory = new DataView(producer.map.memory.buffer);
    const intent = producer.segment.address + HEADER_DELTA_TAIL_INTENT;
    const announced = memory.getBigUint64(intent, true);
    memory.setBigUint64(intent, announced + BigInt(MAPPED_SEGMENT.deltaCapacity + 1), true);
    expect(readAll(reader)).toEqual([]);
    memory.setBigUint64(intent, announced, true);
    expect(readAll(reader).map(({ kind }) => kind)).toEqual(["delta"]);
    expect(reader.lost).toEqual({ deltas: 0, trades: 0 });
  });

  it("counts as lost only what no image leads on to, exactly", async () => {
    const { producer, reader } = await market("image");
    const before = producer.tail;
    for (let count = 0; count < 1000; count++) {
      producer.update(count, count % 3 === 0 ? "ETH-USD" : "BTC-USD");
    }
    // Until the image of the one that is quiet now is older than where the ring's rule goes on.
    for (let count = 0; count < 200 && producer.tail - imagePosition(producer, 1) <= 80; count++) {
      producer.update(count);
    }
    const position = Math.min(imagePosition(producer, 0), imagePosition(producer, 1));
    expect(position).toBeLessThan(producer.tail - MAPPED_SEGMENT.deltaCapacity / 4);
    const [first, ...rest] = readAll(reader);
    expect(first).toMatchObject({ kind: "lapped", ring: "deltas", lost: position - before });
    expect(reader.lost.deltas).toBe(position - before);
    expect(rest.filter(({ kind }) => kind !== "delta").map(({ kind }) => kind)).toEqual(["image", "image"]);
  });
});

describe("A reader whose user fails", () => {
  it("gives the failure back as it is, and the segment goes on", async () => {
    const { producer, reader } = await market("tail");
    producer.update(1);
    const failure = new RangeError("too many digits");
    expect(() =>
      reader.poll(() => {
        throw failure;
      }),
    ).toThrow(failure);
    producer.update(2);
    expect(readAll(reader).map(({ kind }) => kind)).toEqual(["delta"]);
  });
});
