/**
 * Prints the spread of every instrument of an exchange four times a second, read from the shared memory of a collector in
 * another process. Start one first, in any order:
 *
 *   alphapulse collect --exchange kraken        (or `alphapulse serve`)
 *   node src/reader/examples/live_spreads.mjs kraken [seconds]
 *
 * Bad case: no collector; it waits and says so.
 */
import { openSegment } from "alphapulse/segment";

const [exchange = "kraken", seconds = "Infinity"] = process.argv.slice(2);
const reader = await openSegment(exchange, { name: "live spreads" });
const counts = new Map();
const stop = reader.on(
  {
    delta: ({ instrument }) => counts.set(instrument.name, (counts.get(instrument.name) ?? 0) + 1),
    outcome: (outcome) => console.log(`${outcome.segment}: ${outcome.kind}`),
  },
  (error) => {
    throw error;
  },
);
const timer = setInterval(print, 250);
const limit = setTimeout(end, Math.min(Number(seconds) * 1000, 2 ** 31 - 1));
process.once("SIGINT", end);

function print() {
  const instruments = reader.instruments();
  if (instruments.length === 0) {
    console.log(`waiting for a collector of ${exchange}`);
  }
  for (const { name } of instruments) {
    const top = reader.top(name);
    if (top?.bid !== undefined && top.ask !== undefined) {
      const spread = Number(top.ask.price) - Number(top.bid.price);
      const state = top.isSynced ? "" : `  not synced: ${top.state}`;
      console.log(
        `${name.padEnd(24)} ${top.bid.price} / ${top.ask.price}  spread ${spread.toPrecision(3)}  ${counts.get(name) ?? 0} records${state}`,
      );
    }
  }
}

function end() {
  clearInterval(timer);
  clearTimeout(limit);
  stop();
  reader.close();
}
