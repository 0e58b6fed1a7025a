/**
 * Plays a fixture on a rig: the steps that all cases share. A case is a play and what must be seen afterwards; both are
 * the same for every exchange, what differs is in the fixture and in the exchange's header.
 * Bad case: a case that asks which exchange it is; then the fixture lacks a field.
 */
import type { Exchange } from "../../src/exchanges/mod.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import type { Fixture } from "./fixture.ts";
import { Rig } from "./rig.ts";

/** One case. `play` returns what was seen; the test compares it with `expected`. */
export type ConformanceCase = {
  /** Reads on from the exchange's name. */
  name: string;
  play: (play: Play) => unknown;
  expected: (fixture: Fixture, exchange: Exchange) => unknown;
};

/** The market after `snapshot`. */
export const SNAPSHOT_BOOK = { bids: ["100.5 1.5", "100 2"], asks: ["101 1", "101.5 3"] };
/** The market after `update`. */
export const UPDATED_BOOK = { bids: ["100.5 1.25", "100 2"], asks: ["101.2 4", "101.5 3"] };
/** The market after `nextUpdate`. */
export const NEXT_BOOK = { bids: ["100.5 1.25", "100 2.5"], asks: ["101.2 4", "101.5 3"] };
/** The market after `secondSnapshot`. */
export const SECOND_BOOK = { bids: ["99.5 1"], asks: ["100 1"] };

/** A fixture on a rig. */
export class Play {
  readonly fixture: Fixture;
  readonly exchange: Exchange;
  readonly rig: Rig;
  /** The body that REST answers with next; undefined = it fails. */
  restBody: string | undefined;
  readonly #acknowledged = new WeakMap<object, number>();

  constructor(fixture: Fixture, options: { exchange: Exchange; rig: Rig }) {
    this.fixture = fixture;
    this.exchange = options.exchange;
    this.rig = options.rig;
    this.restBody = fixture.snapshot;
  }

  /** A collector for both instruments of the fixture, its instrument list read, its socket connecting. */
  static async start(fixture: Fixture, options: { exchange: Exchange; kernelName: KernelName }): Promise<Play> {
    const { exchange, kernelName } = options;
    const rest: [string, string | (() => string)][] = [];
    const instruments = [fixture.canonical, fixture.otherCanonical];
    const rig = new Rig({ exchange, kernelName, instruments, rest });
    const play = new Play(fixture, { exchange, rig });
    if (fixture.snapshotUrl !== "") {
      rest.push([`${fixture.snapshotUrl}${fixture.otherNative}&`, fixture.otherSnapshot]);
      rest.push([`${fixture.snapshotUrl}${fixture.native}&`, () => play.#body()]);
    }
    rest.push([exchange.metadataRequest().path, fixture.metadata]);
    await rig.start();
    return play;
  }

  /** State and reason of the first instrument. */
  get state(): string {
    return this.rig.state(this.fixture.canonical);
  }

  /** State and reason of the other instrument. */
  get otherState(): string {
    return this.rig.state(this.fixture.otherCanonical);
  }

  /** Book of the first instrument. */
  get book(): { bids: string[]; asks: string[] } {
    return this.rig.book(this.fixture.canonical);
  }

  /** Times that the first book was asked for: subscriptions of its channel, or REST snapshots. */
  get asked(): number {
    const { native, snapshotUrl } = this.fixture;
    if (snapshotUrl !== "") {
      return this.rig.requests.filter((url) => url.includes(`${snapshotUrl}${native}&`)).length;
    }
    const isAsked = (text: string) => this.#asksFor(text, native);
    return this.rig.sockets.flatMap(({ sent }) => sent).filter(isAsked).length;
  }

  /** The server accepts the handshake, acknowledges everything, and both books arrive. */
  async join(): Promise<void> {
    this.rig.socket.open();
    await this.deliverBooks();
  }

  /** Everything asked on the youngest socket is acknowledged, and both books arrive. */
  async deliverBooks(): Promise<void> {
    this.acknowledge();
    await this.rig.settle();
    if (this.fixture.snapshotUrl === "") {
      this.rig.deliver(this.fixture.snapshot, this.fixture.otherSnapshot);
    }
    await this.rig.advance(100);
  }

  /** Acknowledges what the youngest socket sent since the last time. */
  acknowledge(answer = this.fixture.acknowledge): void {
    const { socket } = this.rig;
    const from = this.#acknowledged.get(socket) ?? 0;
    const requests = socket.sent.slice(from);
    this.#acknowledged.set(socket, socket.sent.length);
    this.rig.deliver(...requests.flatMap(answer));
  }

  /** Frames arrive that need a repair, and the exchange delivers this snapshot for it. */
  async repairAfter(frames: readonly (string | Buffer)[], snapshot: string): Promise<void> {
    this.restBody = snapshot;
    this.rig.deliver(...frames);
    await this.repair(snapshot);
  }

  /** The exchange delivers a snapshot for the repair that is under way. */
  async repair(snapshot: string): Promise<void> {
    this.restBody = snapshot;
    await this.rig.advance(1000);
    this.acknowledge();
    if (this.fixture.snapshotUrl === "") {
      this.rig.deliver(snapshot);
    }
    await this.rig.advance(200);
  }

  /** Quiet time in which the connection lives. */
  async live(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await this.rig.advance(1000);
      this.rig.socket.live();
      this.rig.deliver(...this.fixture.alive);
    }
  }

  /** Reads a request of any of the exchanges far enough to tell whether it subscribes a book. */
  #asksFor(text: string, native: string): boolean {
    const messages = this.exchange.subscribe({
      natives: [native],
      channels: ["book"],
      depth: 10,
      nextRequestId: () => 0,
    });
    const words = new Set(messages.flatMap((message) => message.text.match(/[\w/@-]+/g) ?? []));
    const isSame = (word: string) => text.includes(word) || /^\d+$/.test(word);
    return [...words].every(isSame) && !/unsubscribe/i.test(text);
  }

  #body(): string {
    if (this.restBody === undefined) {
      throw new TypeError("fetch failed");
    }
    return this.restBody;
  }
}
