/**
 * The routes that change feeds. Bad case: two requests for the same instrument at once; whoever owns the collectors takes
 * one change after the other, and the second is told that nothing was to be done.
 */
import { resolveExchangeId } from "../../model/exchange_id.ts";
import type { ProblemCode } from "../../rest/problem.ts";
import type { HttpAnswer } from "../transport.ts";
import { problemAnswer, valueAnswer } from "./answers.ts";
import type { FeedOutcome } from "./feed_control.ts";
import { findInstrument } from "./instrument_lookup.ts";
import type { RestParts } from "./parts.ts";
import type { RouteCall } from "./routes.ts";

type Feed = { readonly exchange: string; readonly symbol: string };

const CREATED = 201;

/** Adds an instrument. */
export async function addFeed({ feeds }: RestParts, { request, values }: RouteCall): Promise<HttpAnswer> {
  if (feeds === undefined) {
    return elsewhere();
  }
  const { exchange: given, symbol: asked } = values as Feed;
  const exchange = resolveExchangeId(given);
  if (exchange === undefined) {
    const nearest = [...new Set(feeds.list().map((feed) => feed.exchange))];
    const detail = `Cannot add an instrument: there is no such exchange, was ${given}`;
    return problemAnswer("unknown_exchange", { detail, instance: request.path, nearest });
  }
  const feed = { exchange, symbol: asked.toUpperCase() };
  return outcomeAnswer(feed, await feeds.add(feed.exchange, feed.symbol));
}

/** Removes an instrument. */
export async function removeFeed(
  { feeds, instruments }: RestParts,
  { request, values }: RouteCall,
): Promise<HttpAnswer> {
  if (feeds === undefined) {
    return elsewhere();
  }
  const feed = findFeed(feeds.list(), values as Feed);
  if (feed !== undefined) {
    return outcomeAnswer(feed, await feeds.remove(feed.exchange, feed.symbol));
  }
  const found = findInstrument(instruments, values as Feed);
  if ("code" in found) {
    const { code, ...problem } = found;
    return problemAnswer(code, { ...problem, instance: request.path.slice(0, 256) });
  }
  const { exchange, symbol } = found.name;
  return outcomeAnswer({ exchange, symbol }, await feeds.remove(exchange, symbol));
}

/** A feed need not have a segment entry yet. */
function findFeed(feeds: readonly Feed[], { exchange, symbol }: Feed): Feed | undefined {
  const id = resolveExchangeId(exchange) ?? exchange;
  return feeds.find((feed) => feed.exchange === id && feed.symbol === symbol.toUpperCase());
}

function outcomeAnswer(feed: Feed, outcome: FeedOutcome): HttpAnswer {
  if (outcome.kind !== "refused") {
    const status = outcome.kind === "added" ? CREATED : 200;
    return valueAnswer({ ...feed, outcome: outcome.kind }, { status });
  }
  const code: ProblemCode = outcome.code;
  return problemAnswer(code, { detail: outcome.message, nearest: [...outcome.nearest] });
}

function elsewhere(): HttpAnswer {
  const detail = "Cannot change feeds: the collectors are other processes, start them with other instruments";
  return problemAnswer("feeds_elsewhere", { detail });
}
