/**
 * A peer beside an engine: its books begin at the engine's snapshots, and after a run they are compared with the replicas
 * behind our ring, level for level, as doubles. A peer that computes another book is not thrown out: the difference is
 * said by name, its ratio is not judged, and it must end in that same book every time.
 * Bad case: two decimals that are one double; a peer on doubles cannot tell them apart, and then it differs here.
 */
import type { Engine } from "../engine.ts";
import { mustEqual } from "../harness.ts";
import { openCcxt } from "./ccxt.ts";
import { BOOK_SIDES, type MissingPeer, type Peer, type PeerStream } from "./peer.ts";
import { openPlainMap } from "./plain_map.ts";
import { openTardis } from "./tardis.ts";

/** What peers of a stream are set up with. */
export function peerStream({ stream, blocks, snapshots }: Engine): PeerStream {
  return {
    exchange: stream.exchange.header.id,
    symbols: blocks.map(({ native, canonical }) => ({ native, canonical })),
    snapshots: snapshots.map(({ frame, native }) => ({ text: frame.text, native })),
  };
}

/** Every peer that is given frames, in the order of the report. */
export async function openPeers(stream: PeerStream): Promise<(Peer | MissingPeer)[]> {
  return [
    await openTardis(stream),
    await openCcxt(stream, { way: "handleMessage" }),
    await openCcxt(stream, { way: "its client" }),
    openPlainMap(stream),
  ];
}

/** A peer over an engine's frames. */
export class PeerRun {
  readonly peer: Peer;
  readonly #engine: Engine;
  readonly #texts: readonly string[];
  #end = "";

  constructor(peer: Peer, engine: Engine) {
    this.peer = peer;
    this.#engine = engine;
    this.#texts = engine.list("book").frames.map(({ text }) => text);
  }

  /** Every frame. @returns frames refused */
  run(): number {
    return this.peer.run(this.#texts);
  }

  /**
   * Runs it once and compares every level of every book; what it ends in is what it must end in from then on.
   * The engine must stand behind a run of its own.
   * @returns how its books differ from ours, in words; undefined when they are equal
   * @throws Error when it refuses a frame
   */
  compare(): string | undefined {
    this.peer.reset();
    mustEqual(`${this.peer.name}: frames refused`, this.run(), 0);
    this.#end = this.#summary();
    const differences = this.#engine.check.followed.flatMap((followed) =>
      BOOK_SIDES.flatMap((side) => {
        const { native } = followed.block;
        const ours = this.#engine.check.levels(followed, side);
        const theirs = this.peer.levels(native, side);
        const prices = new Map(ours.map(({ price, quantity }) => [price, quantity]));
        const wrong = theirs.filter(({ price, quantity }) => prices.get(price) !== quantity).length;
        const isSame = wrong === 0 && theirs.length === ours.length;
        return isSame
          ? []
          : [`${native} ${side}: ${theirs.length} levels, ${wrong} of them not ours, ours ${ours.length}`];
      }),
    );
    const [first] = differences;
    return first === undefined ? undefined : `${differences.length} sides differ, the first: ${first}`;
  }

  /** Judges a timed run. @throws Error when a frame was refused, or the books are not those of `compare` */
  verify(refused: number): void {
    mustEqual(`${this.peer.name}: frames refused`, refused, 0);
    mustEqual(`${this.peer.name}: the books`, this.#summary(), this.#end);
  }

  /** Counts, best prices, and a sum over every level of every book. */
  #summary(): string {
    const parts = this.#engine.blocks.flatMap(({ native }) =>
      BOOK_SIDES.map((side) => {
        const levels = this.peer.levels(native, side);
        const sum = levels.reduce((total, { price, quantity }) => total + price * quantity, 0);
        return `${native} ${side} ${levels.length} ${levels[0]?.price ?? "none"} ${sum}`;
      }),
    );
    return parts.join(", ");
  }
}
