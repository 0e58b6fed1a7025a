/**
 * The load of the pipeline benchmark: exchange and client in one thread of one process, so that sending and receiving are
 * timed by one clock. Frames leave at their times whether anybody keeps up or not; between two looks at the clock the
 * sockets are read. The thread spins during a burst: a timer of a millisecond would hide what is to be measured.
 *
 *   intended sending ─▶ exchange's socket ═▶ side ═▶ client's socket: one latency for every frame
 *
 * Bad case: a thread that is held up itself; the intended time counts, and its own lateness is reported beside.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { SUBPROTOCOL_BINARY } from "../../src/wire/protocol.ts";
import { BenchExchange } from "./exchange.ts";
import { type Follower, followerOf, type SentFrame } from "./follower.ts";
import { layTrain, type Market, readMarket } from "./market.ts";
import { PlainBook } from "./plain_book.ts";
import { Receiver } from "./receiver.ts";
import { type BurstResult, INSTRUMENT, type LoadAnswer, type LoadOrder, SIDES, type SideName } from "./words.ts";

const LOOK_MS = 2;
const PATIENCE_MS = 60_000;
/** Between preparation and the first frame. */
const LEAD_MS = 5;
const NS_PER_MS = 1e6;
const US_PER_SECOND = 1e6;

/** Takes orders until the parent is gone. */
export async function runLoad(): Promise<void> {
  const market = await readMarket();
  const ends = new Map<SideName, LoadEnd>(SIDES.map((side) => [side, new LoadEnd(side, market)]));
  process.on("message", (order: LoadOrder) => {
    ends
      .get(order.side)
      ?.obey(order)
      .then(answer, (error: unknown) => {
        answer({ answer: "failed", reason: error instanceof Error ? error.message : String(error) });
      });
  });
  process.once("disconnect", () => process.exit(0));
}

function answer(message: LoadAnswer): void {
  process.send?.(message);
}

/** Both ends of one side. */
class LoadEnd {
  readonly #side: SideName;
  readonly #market: Market;
  readonly #exchange: BenchExchange;
  readonly #follower: Follower;
  /** What was sent so far. */
  readonly #truth: PlainBook;
  #receiver: Receiver | undefined;
  #failure: Error | undefined;
  /** In the cycle. */
  #place = 0;

  constructor(side: SideName, market: Market) {
    this.#side = side;
    this.#market = market;
    this.#exchange = new BenchExchange(market);
    this.#follower = followerOf(side);
    this.#truth = new PlainBook(market.bids, market.asks);
  }

  async obey(order: LoadOrder): Promise<LoadAnswer> {
    switch (order.order) {
      case "exchange":
        return await this.#open();
      case "join":
        await this.#join(order.port);
        return { answer: "joined" };
      default:
        return { answer: "done", ...(await this.#burst(order)) };
    }
  }

  async #open(): Promise<LoadAnswer> {
    const { cycle, source } = this.#market;
    const { ends } = layTrain(cycle, 0, { count: cycle.length, startUs: 0, stepUs: 1 });
    const frameBytes = Math.round((ends.at(-1) ?? 0) / cycle.length);
    return { answer: "exchange", port: await this.#exchange.listen(), source, frameBytes };
  }

  async #join(port: number): Promise<void> {
    const isOurs = this.#side === "ours";
    const receiver = new Receiver(port, {
      protocol: isOurs ? SUBPROTOCOL_BINARY : "",
      failed: (error) => {
        this.#failure ??= new Error(`Cannot go on with ${this.#side}: ${error.message}`, { cause: error });
      },
    });
    this.#receiver = receiver;
    await this.#until(() => {
      this.#takeIdle(receiver);
      return receiver.log.isUpgraded;
    });
    if (isOurs) {
      receiver.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [INSTRUMENT] }));
    }
    await this.#until(() => {
      this.#takeIdle(receiver);
      return this.#follower.isReady && receiver.log.lastMs === 0;
    });
  }

  async #burst({ frames, perSecond }: { frames: number; perSecond: number }): Promise<BurstResult> {
    const { cycle } = this.#market;
    const receiver = this.#receiver;
    if (receiver === undefined) {
      throw new Error("Cannot send: the client is not connected");
    }
    this.#takeIdle(receiver);
    const stepUs = US_PER_SECOND / perSecond;
    // Preparing takes longer than the lead: the start is moved once it is done.
    const roughUs = Math.round((performance.timeOrigin + performance.now()) * 1000) + US_PER_SECOND;
    const train = layTrain(cycle, this.#place, { count: frames, startUs: roughUs, stepUs });
    const startMs = performance.now() + LEAD_MS;
    const late = histogram();
    await new Promise<void>((resolve) => {
      let next = 0;
      const turn = () => {
        const now = performance.now();
        const due = Math.min(frames, Math.floor(((now - startMs) * 1000) / stepUs) + 1);
        if (due > next) {
          this.#exchange.send(train, next, due);
          for (; next < due; next++) {
            record(late, now - startMs - (next * stepUs) / 1000);
          }
        }
        if (next < frames) {
          setImmediate(turn);
        } else {
          resolve();
        }
      };
      turn();
    });
    const sent = Array.from(
      { length: frames },
      (_, index): SentFrame => ({
        changes: cycle[(this.#place + index) % cycle.length] ?? [],
        atUs: roughUs + index * stepUs,
      }),
    );
    this.#place = (this.#place + frames) % cycle.length;
    return await this.#conclude(receiver, { sent, roughUs, stepUs, startMs, late });
  }

  /** Waits for the last frame, reads what came, and checks it. */
  async #conclude(
    receiver: Receiver,
    burst: {
      sent: readonly SentFrame[];
      roughUs: number;
      stepUs: number;
      startMs: number;
      late: RecordableHistogram;
    },
  ): Promise<BurstResult> {
    const { sent, roughUs, stepUs, startMs, late } = burst;
    const latencies = histogram();
    let reached = 0;
    let messages = 0;
    let bytes = 0;
    let lastMs = startMs;
    // While bytes come they are only kept: reading them would hold up the stamps of those behind.
    await this.#until(() => {
      if (performance.now() - receiver.log.lastMs < 10 * LOOK_MS) {
        return false;
      }
      for (const { message, isText, atMs } of receiver.takeAll()) {
        const atUs = this.#follower.take(message, isText);
        const upTo = atUs === 0 ? reached : Math.round((atUs - roughUs) / stepUs) + 1;
        messages += upTo > reached ? 1 : 0;
        bytes += message.byteLength;
        for (; reached < upTo; reached++) {
          record(latencies, atMs - startMs - (reached * stepUs) / 1000);
          lastMs = atMs;
        }
      }
      return reached >= sent.length;
    });
    for (const { changes } of sent) {
      this.#truth.apply(changes);
    }
    this.#follower.check(this.#truth, sent);
    const us = (part: number) => latencies.percentile(part) / 1000;
    return {
      p50: us(50),
      p99: us(99),
      p999: us(99.9),
      max: latencies.max / 1000,
      sendP99: late.percentile(99) / 1000,
      perSecond: (sent.length * 1000) / (lastMs - startMs),
      messages,
      bytes,
    };
  }

  /** What came before a burst: the whole book, proofs, pings, statuses. */
  #takeIdle(receiver: Receiver): void {
    for (const { message, isText } of receiver.takeAll()) {
      this.#follower.take(message, isText);
    }
  }

  async #until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (performance.now() > deadline) {
        throw new Error(`Cannot trust ${this.#side}: not everything that was sent came within ${PATIENCE_MS} ms`);
      }
      await new Promise((resume) => setTimeout(resume, LOOK_MS));
    }
  }
}

/** HDR, three digits. */
function histogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: PATIENCE_MS * NS_PER_MS, figures: 3 });
}

/** @param ms a latency; a clock of whole microseconds may say zero */
function record(into: RecordableHistogram, ms: number): void {
  into.record(Math.max(1, Math.round(ms * NS_PER_MS)));
}
