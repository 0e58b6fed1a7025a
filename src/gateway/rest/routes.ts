/**
 * The routes: each turns the parts into the answer of its operation. Schemas judge the values before.
 * Bad case: a book that is asked for thousands of times a second; its text is made once for each version and depth.
 */
import type { AnswerOf, OperationId } from "../../rest/operations.ts";
import type { Opportunity } from "../../wire/opportunity.ts";
import type { ServedInstrument } from "../instrument.ts";
import type { HttpAnswer, HttpRequest } from "../transport.ts";
import { jsonAnswer, problemAnswer, valueAnswer } from "./answers.ts";
import { BookRoute } from "./book_route.ts";
import { addFeed, removeFeed } from "./feed_routes.ts";
import { findInstrument } from "./instrument_lookup.ts";
import { KeptTexts } from "./kept_texts.ts";
import { listingAnswer, tradeAnswer } from "./market_answers.ts";
import type { RestParts } from "./parts.ts";

/** A request whose values are valid. */
export type RouteCall = { readonly request: HttpRequest; readonly values: Readonly<Record<string, unknown>> };
/** A route of each operation. */
export type Routes = Readonly<Record<OperationId, (call: RouteCall) => HttpAnswer | Promise<HttpAnswer>>>;

/** Answers about the system as a whole change so often, ms. */
const KEPT_MS = 50;

/** The routes over some parts. */
export function createRoutes(parts: RestParts): Routes {
  const books = new BookRoute(parts);
  const texts = new KeptTexts();
  /** Answers that may be so old that nobody minds. */
  const lately = (thing: object, question: string, make: () => unknown) => {
    const moment = String(Math.floor(parts.now() / KEPT_MS));
    return jsonAnswer(texts.text(thing, { moment, question }, () => `${JSON.stringify(make())}\n`) ?? "");
  };
  const trades = (instrument: ServedInstrument, limit: number) => {
    const moment = `${instrument.trades.count} ${instrument.statusSerial}`;
    const make = () => `${JSON.stringify(tradeAnswer(instrument, limit))}\n`;
    return jsonAnswer(texts.text(instrument.trades, { moment, question: String(limit) }, make) ?? "");
  };
  const withInstrument =
    (answer: (instrument: ServedInstrument, call: RouteCall) => HttpAnswer) =>
    (call: RouteCall): HttpAnswer => {
      const { exchange, symbol } = call.values as { exchange: string; symbol: string };
      const found = findInstrument(parts.instruments, { exchange, symbol });
      if ("code" in found) {
        const { code, ...problem } = found;
        return problemAnswer(code, { ...problem, instance: call.request.path.slice(0, 256) });
      }
      return answer(found, call);
    };
  return {
    listExchanges: () => lately(parts, "exchanges", () => parts.exchanges()),
    listInstruments: () => lately(parts, "instruments", () => listingAnswer(parts)),
    getOrderBook: withInstrument((instrument, call) => books.answer(instrument, call)),
    getTrades: withInstrument((instrument, { values }) => trades(instrument, Number(values.limit))),
    getDeltaSummary: () => lately(parts, "summary", () => parts.deltaSummary()),
    getDeltaStats: withInstrument((instrument) => lately(instrument, "deltas", () => parts.deltaStats(instrument))),
    listOpportunities: ({ values }) => opportunities(parts, values),
    getHealth: () => lately(parts, "health", () => parts.health()),
    listFeeds: () => listFeeds(parts),
    addFeed: (call) => addFeed(parts, call),
    removeFeed: (call) => removeFeed(parts, call),
  };
}

function opportunities(parts: RestParts, values: Readonly<Record<string, unknown>>): HttpAnswer {
  const { arbitrage } = parts;
  if (arbitrage === undefined) {
    return problemAnswer("arbitrage_off", { detail: "Cannot answer: arbitrage.enabled is false" });
  }
  const { min_profit_bps: profitBpsMin, max_age_ms: ageMsMax } = values as {
    min_profit_bps: number;
    max_age_ms?: number;
  };
  const answer: AnswerOf<"listOpportunities"> = {
    at_ms: Math.round(parts.now()),
    opportunities: arbitrage.opportunities({ profitBpsMin, ageMsMax }).map(opportunityAnswer),
    recent: arbitrage.recent().map(({ reason, atMs, opportunity }) => ({
      reason,
      at_ms: atMs,
      opportunity: opportunityAnswer(opportunity),
    })),
    counts: { ...arbitrage.counts },
  };
  return valueAnswer(answer);
}

function opportunityAnswer(one: Opportunity): AnswerOf<"listOpportunities">["opportunities"][number] {
  const { profitBps, profitBpsMax, openedAtMs, changedAtMs, legs, ...same } = one;
  return {
    ...same,
    profit_bps: profitBps,
    profit_bps_max: profitBpsMax,
    opened_at_ms: openedAtMs,
    changed_at_ms: changedAtMs,
    legs: legs.map(({ receivedAtMs, feeBps, averagePrice, worstPrice, ...leg }) => ({
      ...leg,
      received_at_ms: receivedAtMs,
      fee_bps: feeBps,
      average_price: averagePrice,
      worst_price: worstPrice,
    })),
  };
}

function listFeeds({ feeds }: RestParts): HttpAnswer {
  return feeds === undefined
    ? problemAnswer("feeds_elsewhere", { detail: "Cannot list feeds: the collectors are other processes" })
    : valueAnswer({ feeds: feeds.list() });
}
