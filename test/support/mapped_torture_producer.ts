/**
 * The producer of the torture: a tiny ring, an image every few records, numbered records straight from the kernel in
 * batches as fast as it goes, now and then slowly or not at all, with real frames, snapshots and trades in between.
 * Bad case: it is killed at any point; whoever wants to know how far it came reads its segment's file.
 */
import { setTimeout as pause } from "node:timers/promises";
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_BID } from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { MAPPED_SEGMENT, MappedProducer } from "../unit/mapped_rig.ts";
import { MARK_BASE, MARK_PRICES, markDepth, markLots, tradeLots } from "./mapped_torture_marks.ts";
import { SeededRandom } from "./seeded_random.ts";

/** How far a producer came. */
export type TortureEnd = { readonly epoch: string; readonly tail: number; readonly tradeTail: number };

const NATIVES = ["BTC-USD", "ETH-USD"] as const;
const BATCH_MAX = 60;
const TRADE_EVERY = 128;
/** Records in one go, between two chances for timers. */
const BURST_MAX = 50_000;
const SLOW_MAX = 8_000;
const SLOW_RECORDS_PER_MS = 600;
const TURN_MS = 10;

type Market = {
  readonly producer: MappedProducer;
  readonly random: SeededRandom;
  readonly targets: readonly { readonly block: number; readonly ceiling: number }[];
  /** A level in the kernel's memory, its high words 0. */
  readonly level: number;
  readonly words: Uint32Array;
  /** Numbered records, and trades, so far. */
  numbered: number;
  trades: number;
};

/**
 * Publishes until so many records are out, or the time is over, and ends in an orderly way.
 * @param onReady is called when readers can find the segment and its books
 */
export async function produceTorture(
  directory: string,
  options: { records: number; capacity: number; seed: number; untilMs: number; onReady: () => void },
): Promise<TortureEnd> {
  const producer = await MappedProducer.start(directory, { ...MAPPED_SEGMENT, deltaCapacity: options.capacity });
  producer.snapshot(300);
  producer.snapshot(40, "ETH-USD");
  const market = marketOf(producer, new SeededRandom(options.seed));
  options.onReady();
  while (producer.tail < options.records && performance.now() < options.untilMs) {
    play(market, options.records);
    await pause(market.random.below(20) === 0 ? market.random.below(4) : 0);
  }
  const { epoch } = viewOf(producer).header;
  const { tradeTail } = producer;
  return { epoch: String(epoch), tail: producer.close(), tradeTail };
}

function marketOf(producer: MappedProducer, random: SeededRandom): Market {
  const { kernel, map } = producer;
  const words = new Uint32Array(map.memory.buffer);
  const bytes = new Uint8Array(map.memory.buffer);
  const level = kernel.arenaAllocate(LEVEL_BYTES);
  const name = kernel.arenaAllocate(16);
  const targets = NATIVES.map((native, index) => {
    bytes.set(new TextEncoder().encode(native), name);
    const block = kernel.instrumentFind(name, native.length);
    const ask = Number(viewOf(producer).topOfBook(index)?.askPrice ?? 0n);
    return { block, ceiling: Math.floor((ask - 1) / MARK_PRICES) * MARK_PRICES };
  });
  return { producer, random, targets, level, words, numbered: 0, trades: 0 };
}

function viewOf({ map, segment }: MappedProducer): SegmentView {
  return new SegmentView(map.memory.buffer, segment.address);
}

/** One phase: a few frames, then numbered records at full speed or slowly. */
function play(market: Market, records: number): void {
  const { producer, random } = market;
  const dice = random.below(8);
  if (dice === 0) {
    producer.snapshot(260 + random.below(100));
  } else if (dice === 1) {
    producer.snapshot(20 + random.below(100), "ETH-USD");
  }
  for (let count = random.below(32); count > 0; count--) {
    producer.update(random.below(1000), NATIVES[random.below(2)] ?? NATIVES[0]);
  }
  const isSlow = random.below(2) === 0;
  const amount = Math.min(1 + random.below(isSlow ? SLOW_MAX : BURST_MAX), records - producer.tail);
  const startedAt = performance.now();
  let beatAt = startedAt;
  for (let done = 0; done < amount; ) {
    const batch = Math.min(1 + random.below(isSlow ? 4 : BATCH_MAX), amount - done);
    number(market, batch);
    done += batch;
    const now = performance.now();
    while (isSlow && performance.now() - startedAt < done / SLOW_RECORDS_PER_MS) {
      // A slow market.
    }
    if (now - beatAt > TURN_MS) {
      producer.beat();
      beatAt = now;
    }
  }
}

/** A batch of numbered records, published together. */
function number(market: Market, batch: number): void {
  const { producer, targets, level, words } = market;
  const { kernel } = producer;
  for (let count = 0; count < batch; count++) {
    const number = market.numbered++;
    const target = targets[Math.imul(number, 0x85ebca6b) >>> 31];
    if (target === undefined) {
      return;
    }
    const price = target.ceiling - markDepth(number);
    words[(level + LEVEL_PRICE) >>> 2] = price;
    words[(level + LEVEL_QUANTITY) >>> 2] = markLots(number, price);
    kernel.levelForce(target.block, SIDE_BID, level, MARK_BASE + number);
    if (number % TRADE_EVERY === 0) {
      const id = ++market.trades;
      const lots = tradeLots(id);
      producer.trade(id, `${Math.floor(lots / 10)}.${lots % 10}`);
    }
  }
  kernel.publish(producer.now());
}
