/**
 * What is known of the book that is shown: version, hash, number of levels, the exchange's delay, the age of the last
 * event. Bad case: the delay compares two machines' clocks, so it can be negative; it is shown as it is.
 */
import { byteRate, clockText, delayText, wholeText } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { BookTop } from "./market_feed.ts";
import { append, TextSlot } from "./painting.ts";

type Fact = { label: string; title: string; read: (top: BookTop, store: InstrumentStore) => string };

const FACTS: readonly Fact[] = [
  { label: "Version", title: "Grows by one with each record of this book", read: (top) => top.version },
  {
    label: "Hash",
    title: "Of all levels; the stream proves it regularly",
    read: (top) => (top.hash >>> 0).toString(16).padStart(8, "0"),
  },
  { label: "Bid levels", title: "In the whole book", read: (top) => wholeText(top.bidLevels) },
  { label: "Ask levels", title: "In the whole book", read: (top) => wholeText(top.askLevels) },
  { label: "Last event", title: "By the exchange's clock, local time", read: (top) => clockText(top.eventAtMs) },
  {
    label: "Exchange → here",
    title: "From the exchange's clock to the gateway's socket",
    read: (top) => (top.eventAtMs > 0 && top.receivedAtMs > 0 ? delayText(top.receivedAtMs - top.eventAtMs) : "–"),
  },
  {
    label: "Stream",
    title: "Bytes of this book and its trades per second, as encoded once for all clients",
    read: (_top, { statistics }) => (statistics === undefined ? "–" : byteRate(statistics.wireBytesPerSecond)),
  },
  {
    label: "Failed checks",
    title:
      "Times that the gateway's copy failed its version chain, hash or consistency, and that its clients' copies did",
    read: (_top, { statistics }) =>
      statistics === undefined
        ? "–"
        : `${wholeText(statistics.replicaFailures)} + ${wholeText(statistics.clientFailures)}`,
  },
  { label: "Crossed", title: "Best bid above best ask", read: (top) => (top.isCrossed ? "yes" : "no") },
  { label: "Trades seen", title: "Since this page was opened", read: (_top, store) => wholeText(store.tradeCount) },
];

/** Builds the list of facts. */
export function mountFacts(element: HTMLElement, store: InstrumentStore): Painter {
  const slots = FACTS.map((fact) => {
    const entry = append(element, "div", "fact");
    entry.title = fact.title;
    append(entry, "dt", "name").textContent = fact.label;
    return { fact, slot: new TextSlot(append(entry, "dd", "value")) };
  });
  return () => {
    const top = store.top(1);
    for (const { fact, slot } of slots) {
      slot.set(top === undefined ? "–" : fact.read(top, store));
    }
  };
}
