/**
 * The route of order books. The text of a book is made once for each version and depth, whoever asks; a whole book is
 * copied at one moment and made text part by part while it is sent.
 * Bad case: many whole books at once; a few are sent at a time, and the next is refused.
 */

import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY } from "../../../assembly/layout.ts";
import { fixedText } from "../../wire/numbers.ts";
import type { ServedInstrument } from "../instrument.ts";
import type { HttpAnswer } from "../transport.ts";
import { jsonAnswer, matchesTag, problemAnswer, unchangedAnswer } from "./answers.ts";
import { KeptTexts } from "./kept_texts.ts";
import type { BookLevels, RestParts } from "./parts.ts";
import type { RouteCall } from "./routes.ts";

/** Levels of a part: about 16 KB, a quarter of a millisecond. */
const LEVELS_PER_PART = 512;

/** Answers requests for books. */
export class BookRoute {
  readonly #parts: RestParts;
  readonly #texts = new KeptTexts();
  /** Whole books that are being sent. */
  #sending = 0;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  /** The book of an instrument. */
  answer(instrument: ServedInstrument, { request, values }: RouteCall): HttpAnswer {
    const depth = values.depth as number | "full";
    if (!instrument.isSynced) {
      return notSynced(instrument, request.path);
    }
    const moment = tagOf(instrument);
    const etag = `"${moment}.${depth}"`;
    if (matchesTag(request.ifNoneMatch, etag)) {
      return unchangedAnswer(etag);
    }
    if (depth === "full") {
      return this.#full(instrument, { path: request.path, etag });
    }
    const text = this.#text(instrument, { depth, moment });
    return text === undefined ? notSynced(instrument, request.path) : jsonAnswer(text, { etag });
  }

  #text(instrument: ServedInstrument, { depth, moment }: { depth: number; moment: string }): string | undefined {
    return this.#texts.text(instrument, { moment, question: String(depth) }, () => {
      const book = this.#parts.book(instrument, depth);
      return book && `${JSON.stringify(book)}\n`;
    });
  }

  #full(instrument: ServedInstrument, { path, etag }: { path: string; etag: string }): HttpAnswer {
    const { fullBooksMax } = this.#parts.limits;
    if (this.#sending >= fullBooksMax) {
      const detail = `Cannot send the whole book: ${fullBooksMax} are being sent, ask again`;
      return problemAnswer(
        "too_many_books",
        { detail, instance: path.slice(0, 256) },
        { headers: { "retry-after": "1" } },
      );
    }
    const levels = this.#parts.fullBook(instrument);
    return levels === undefined ? notSynced(instrument, path) : jsonAnswer(this.#send(levels), { etag });
  }

  *#send(levels: BookLevels): Generator<Uint8Array, void, undefined> {
    this.#sending += 1;
    try {
      yield* bookParts(levels);
    } finally {
      this.#sending -= 1;
    }
  }
}

/** The text of a whole book, part by part, as UTF-8. */
export function* bookParts({ head, bids, asks }: BookLevels): Generator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  const exponents = { price: head.price_exponent, quantity: head.quantity_exponent };
  let before = `${JSON.stringify(head).slice(0, -1)},"bids":[`;
  for (const [side, after] of [
    [bids, '],"asks":['],
    [asks, "]}\n"],
  ] as const) {
    const count = side.byteLength / LEVEL_BYTES;
    for (let from = 0; from < count; from += LEVELS_PER_PART) {
      const until = Math.min(from + LEVELS_PER_PART, count);
      yield encoder.encode(before + levelsText(side, { from, until, ...exponents }));
      before = until < count ? "," : "";
    }
    before += after;
  }
  yield encoder.encode(before);
}

function levelsText(
  side: DataView,
  { from, until, price, quantity }: { from: number; until: number; price: number; quantity: number },
): string {
  const texts: string[] = [];
  for (let index = from; index < until; index++) {
    const level = index * LEVEL_BYTES;
    texts.push(
      `["${fixedText(side, level + LEVEL_PRICE, price)}","${fixedText(side, level + LEVEL_QUANTITY, quantity)}"]`,
    );
  }
  return texts.join(",");
}

/** Stands for the book and all that is said with it. */
function tagOf({ alias, book, statusSerial }: ServedInstrument): string {
  return `${alias}-${book.replica.epoch.toString(36)}-${book.replica.version.toString(36)}-${statusSerial}`;
}

/** Never old levels: why there are none. */
function notSynced(instrument: ServedInstrument, path: string): HttpAnswer {
  const { state, reason, sinceNs } = instrument.status();
  const why = state === "synced" ? "the gateway is joining it" : `${state}, ${reason}`;
  const detail = `Cannot send the book of ${instrument.name.instrument}: ${why}`;
  const parts = { detail, instance: path.slice(0, 256), state, reason, since_ns: sinceNs };
  return problemAnswer("not_synced", parts, { headers: { "retry-after": "1" } });
}
