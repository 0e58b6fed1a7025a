/**
 * The form of a golden vector, and the scenes from which vectors are made: a view, what a client was given before, what
 * it is given now, and what it must hold then. PROTOCOL.md describes the file.
 * Bad case: two vectors of one name; the file is refused, for a failure could not be found.
 */
import type { BookState } from "./model.ts";
import { type GoldenKernel, GoldenStream, type StreamOptions } from "./stream.ts";

/** What a client must say of frames that it cannot use; but for `skipped` its book is dropped. */
export const OUTCOMES = ["skipped", "chain", "hash", "inconsistent", "malformed", "exponents"] as const;
/** An outcome. */
export type Outcome = (typeof OUTCOMES)[number];

/** One trade as told. */
export type TradeState = {
  id: string;
  aggressor: string;
  /** Ticks and lots. */
  price: string;
  quantity: string;
  history: boolean;
  gapBefore: boolean;
  version: string;
  bookVersion: string;
  eventAtNs: string;
  receivedAtNs: string;
  /** Absent in the JSON form. */
  sequence?: string;
};
/** Best prices as told, in ticks and lots. */
export type BboState = {
  version: string;
  synced: boolean;
  crossed: boolean;
  bid: [string, string] | null;
  ask: [string, string] | null;
  eventAtNs: string;
  receivedAtNs: string;
};

/** A vector: after `before` a client that is given `messages` holds `after`, or says `outcome`. */
export type Vector = {
  /** Unique: kind, slash, what is special. */
  name: string;
  form: "binary" | "json";
  /** What the status message said: digits after the point. */
  priceExponent: number;
  quantityExponent: number;
  before: { messages: string[]; state: BookState } | null;
  /** Frames in hexadecimal, or texts. */
  messages: string[];
  after?: BookState;
  trades?: TradeState[];
  bbo?: BboState;
  outcome?: Outcome;
};

/** Makes vectors on one kernel. */
export class Scenes {
  readonly vectors: Vector[] = [];
  readonly golden: GoldenKernel;

  constructor(golden: GoldenKernel) {
    this.golden = golden;
  }

  /** A view for one vector; given back afterwards. */
  with(options: Partial<StreamOptions>, use: (stream: GoldenStream) => void): void {
    const stream = new GoldenStream(this.golden, options);
    use(stream);
    stream.release();
  }

  /**
   * A client that holds a snapshot, and frames that lead on from it.
   * @param scene.setup what happened before the snapshot
   * @param scene.act what happens then @returns the frames of it
   */
  leads(
    name: string,
    scene: {
      options?: Partial<StreamOptions>;
      setup?: (stream: GoldenStream) => void;
      act: (stream: GoldenStream) => string[];
    },
  ): void {
    this.with(scene.options ?? {}, (stream) => {
      (scene.setup ?? openBook)(stream);
      const before = { messages: stream.snapshot(), state: stream.state() };
      const messages = scene.act(stream);
      this.add({ name, ...exponentsOf(stream), form: "binary", before, messages, after: stream.state() });
    });
  }

  /** A client that holds nothing, and a snapshot. */
  begins(
    name: string,
    scene: { options?: Partial<StreamOptions>; setup: (stream: GoldenStream) => void; limit?: number },
  ): void {
    this.with(scene.options ?? {}, (stream) => {
      scene.setup(stream);
      const messages = stream.snapshot(scene.limit);
      this.add({ name, ...exponentsOf(stream), form: "binary", before: null, messages, after: stream.state() });
    });
  }

  /** A client that holds a book, or nothing, and what it must refuse. */
  refuses(
    name: string,
    scene: {
      outcome: Outcome;
      options?: Partial<StreamOptions>;
      isEmpty?: boolean;
      messages: (stream: GoldenStream) => string[];
    },
  ): void {
    this.with(scene.options ?? {}, (stream) => {
      openBook(stream);
      const before = scene.isEmpty === true ? null : { messages: stream.snapshot(), state: stream.state() };
      const messages = scene.messages(stream);
      this.add({ name, ...exponentsOf(stream), form: "binary", before, messages, outcome: scene.outcome });
    });
  }

  add(vector: Vector): void {
    if (this.vectors.some(({ name }) => name === vector.name)) {
      throw new RangeError(`Cannot add a vector: names are unique, was ${vector.name}`);
    }
    this.vectors.push(vector);
  }
}

/** The digits that the status said. */
export function exponentsOf({ options }: GoldenStream): { priceExponent: number; quantityExponent: number } {
  return { priceExponent: options.priceExponent, quantityExponent: options.quantityExponent };
}

/** The book of most vectors: two levels a side around 100.00. */
export function openBook(stream: GoldenStream): void {
  stream.event(
    [
      ["bid", 9999n, 1500n],
      ["bid", 9998n, 20n],
      ["ask", 10_001n, 700n],
      ["ask", 10_003n, 31n],
    ],
    { eventAt: 1_795_371_612_123_456_000n, receivedAt: 1_795_371_612_130_000_000n, sequence: 41n },
  );
}
