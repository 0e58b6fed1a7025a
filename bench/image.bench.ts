/**
 * Book images at 45,000 levels: the producer writes one, a reader loads it into a book and proves it by hash; against the
 * baseline book copied into shared memory and back, unproven.
 * Bad case: comparing the two as equals; a copy of four arrays is what JavaScript does best, and it checks nothing.
 */
import { IMAGE_OK, INSTRUMENT_IMAGE_EVERY, REPLICA_HASH, TABLE_CURRENT_IMAGE } from "../assembly/layout.ts";
import { BaselineBook } from "./baseline/book.ts";
import { BaselineImage } from "./baseline/image.ts";
import { BaselineRun } from "./baseline_run.ts";
import type { Bench, BenchContext } from "./context.ts";
import { deepStream } from "./deep_stream.ts";
import { Engine } from "./engine.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { writeEmptyRecord } from "./instrument.ts";

/** The benchmark. */
export const IMAGE: Bench = {
  name: "image",
  about: "book images of 45,000 levels",
  run: async (context) => {
    const stream = deepStream(1);
    const books = context.kernels.map((name) => new Engine(name, stream)).map(openImages);
    const [first] = books;
    if (first === undefined) {
      throw new RangeError("Cannot measure images: no kernel was asked for");
    }
    const baseline = new BaselineRun(first.engine).feed.books.get(first.native);
    if (baseline === undefined) {
      throw new Error("Cannot measure images: the baseline holds no book");
    }
    return [
      await context.measure(writeCase(context, books, baseline)),
      await context.measure(loadCase(context, books, baseline)),
    ];
  },
};

/** Images written per run: one write alone is too short for the clock's ticks. */
const WRITES = 8;

type Imaged = { engine: Engine; native: string; block: number; entry: number; replica: number };

function openImages(engine: Engine): Imaged {
  engine.reset();
  const [followed] = engine.check.followed;
  if (followed === undefined) {
    throw new Error("Cannot measure images: the stream has no instrument");
  }
  const { block, replica } = followed;
  engine.bench.view.setUint32(block.address + INSTRUMENT_IMAGE_EVERY, 1, true);
  return { engine, native: block.native, block: block.address, entry: block.entry.entryAddress, replica };
}

function writeCase(context: BenchContext, books: readonly Imaged[], baseline: BaselineBook): Case {
  const image = new BaselineImage(baseline);
  const sides: Side[] = [
    ...books.map((book) => ({
      name: book.engine.bench.name,
      work: () => writeImages(book),
      verify: (written: number) => {
        mustEqual("images written", written, WRITES);
        mustEqual("the image as loaded", load(book), IMAGE_OK);
      },
    })),
    {
      name: "baseline",
      work: () => {
        for (let index = 0; index < WRITES; index++) {
          image.write(baseline);
        }
        return WRITES;
      },
      verify: () => verifyCopy(image, baseline),
    },
  ];
  return { ...head("write", "ns/image"), units: WRITES, sides, ratios: wishes(context), facts: levelFacts(baseline) };
}

/** Each record asks for an image at the publish after it. */
function writeImages({ engine, block, entry }: Imaged): number {
  const { bench } = engine;
  let written = 0;
  for (let index = 0; index < WRITES; index++) {
    const before = bench.view.getUint32(entry + TABLE_CURRENT_IMAGE, true);
    writeEmptyRecord(bench, block);
    bench.producer.publish(0);
    written += bench.view.getUint32(entry + TABLE_CURRENT_IMAGE, true) === before ? 0 : 1;
  }
  return written;
}

function loadCase(context: BenchContext, books: readonly Imaged[], baseline: BaselineBook): Case {
  const image = new BaselineImage(baseline);
  image.write(baseline);
  const copy = new BaselineBook();
  const sides: Side[] = [
    ...books.map((book) => {
      writeImages(book);
      const hash = book.engine.check.followed[0]?.block.book ?? 0;
      const expected = book.engine.bench.producer.bookHash(hash);
      return {
        name: book.engine.bench.name,
        work: () => load(book),
        verify: (code: number) => {
          mustEqual("imageLoad", code, IMAGE_OK);
          const { view } = book.engine.bench;
          mustEqual("the hash of the loaded book", view.getUint32(book.replica + REPLICA_HASH, true), expected);
        },
      };
    }),
    {
      name: "baseline",
      work: () => image.load(copy),
      verify: (levels) => mustEqual("levels loaded", levels, baseline.bids.count + baseline.asks.count),
    },
  ];
  return {
    ...head("load and prove", "ns/image"),
    units: 1,
    sides,
    ratios: wishes(context),
    facts: levelFacts(baseline),
  };
}

function load({ engine, replica, entry }: Imaged): number {
  return engine.bench.reader.imageLoad(replica, engine.bench.segment.address, entry);
}

function verifyCopy(image: BaselineImage, baseline: BaselineBook): void {
  const copy = new BaselineBook();
  image.load(copy);
  mustEqual("the copied best bid", copy.bids.price(0), baseline.bids.price(0));
  mustEqual("the copied worst ask", copy.asks.price(copy.asks.count - 1), baseline.asks.price(baseline.asks.count - 1));
}

function head(what: string, unit: string) {
  return { bench: IMAGE.name, name: what, unit, notes: ["baseline: four arrays copied, no hash, no generation check"] };
}

function levelFacts({ bids, asks }: BaselineBook) {
  return { levels: bids.count + asks.count };
}

function wishes({ kernels }: BenchContext) {
  return kernels.includes("twin") ? [{ other: "baseline" }, { other: "twin" }] : [{ other: "baseline" }];
}
