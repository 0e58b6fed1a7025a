/**
 * What a raw frame is about, read by the tests themselves from the frame alone: kind, symbol, levels. Apart from the
 * emulator's own way of knowing. Bad case: a frame that a fault has broken; it is about nothing.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { plain } from "./client.ts";

/** What a frame is about. */
export type Subject = {
  kind: "snapshot" | "book" | "trade" | "heartbeat" | "other";
  symbol: string;
};

/** A level: side, price and quantity, plain decimals. */
export type Level = [side: "bid" | "ask", price: string, quantity: string];

type Json = Record<string, unknown>;

/** What a frame is about. */
export function subjectOf(exchange: ExchangeId, text: string): Subject {
  const frame = parsed(text);
  if (exchange === "coinbase_exchange") {
    const kinds: Record<string, Subject["kind"]> = {
      snapshot: "snapshot",
      l2update: "book",
      match: "trade",
      last_match: "trade",
      heartbeat: "heartbeat",
    };
    return { kind: kinds[String(frame.type)] ?? "other", symbol: String(frame.product_id ?? "") };
  }
  if (exchange === "kraken") {
    const [first] = (Array.isArray(frame.data) ? frame.data : []) as Json[];
    const kind = frame.channel === "book" ? (frame.type === "snapshot" ? "snapshot" : "book") : frame.channel;
    const isKnown = kind === "snapshot" || kind === "book" || kind === "trade" || kind === "heartbeat";
    return { kind: isKnown ? kind : "other", symbol: String(first?.symbol ?? "") };
  }
  const payload = (frame.data ?? frame) as Json;
  const kind = payload.e === "depthUpdate" ? "book" : payload.e === "trade" ? "trade" : "other";
  return { kind, symbol: String(payload.s ?? "") };
}

/** The levels of a book frame, in order; tokens keep their digits. */
export function levelsIn(exchange: ExchangeId, text: string): Level[] {
  if (exchange === "kraken") {
    return (["bid", "ask"] as const).flatMap((side) => {
      const list = new RegExp(`"${side}s":\\[([^\\]]*)\\]`).exec(text)?.[1] ?? "";
      const tokens = [...list.matchAll(/"price":([0-9.]+),"qty":([0-9.]+)/g)];
      return tokens.map(([, price = "", quantity = ""]): Level => [side, plain(price), plain(quantity)]);
    });
  }
  const frame = parsed(text);
  const payload = (frame.data ?? frame) as Record<string, [string, string, string][]>;
  if (payload.changes !== undefined) {
    return payload.changes.map(
      ([word, price, size]): Level => [word === "buy" ? "bid" : "ask", plain(price), plain(size)],
    );
  }
  const of = (side: Level[0], list: unknown): Level[] =>
    (Array.isArray(list) ? (list as [string, string][]) : []).map(
      ([price, size]): Level => [side, plain(price), plain(size)],
    );
  return [...of("bid", payload.bids ?? payload.b), ...of("ask", payload.asks ?? payload.a)];
}

/** A parsed frame; an empty object where it cannot be parsed. */
export function parsed(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : {};
  } catch (error) {
    if (error instanceof SyntaxError) {
      return {};
    }
    throw error;
  }
}
