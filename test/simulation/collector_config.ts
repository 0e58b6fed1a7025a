/**
 * How the collectors of a world are configured, and what their messages ask for. Bad case: a configuration that no user
 * could write; it goes through the same schema.
 */
import { CONFIG_SCHEMA } from "../../src/config/schema.ts";
import type { Random } from "../../src/emulator/random.ts";

/** A complete configuration. */
export type Config = ReturnType<(typeof CONFIG_SCHEMA)["parse"]>;

/** Books are small; Kraken's depth and the reach of REST snapshots differ by the world. */
export function configOf(random: Random): Config {
  return CONFIG_SCHEMA.parse({
    exchanges: {
      coinbase_exchange: { imageLevels: 256 },
      kraken: { imageLevels: 256, depth: random.chance(0.6) ? 10 : 25 },
      binance: { imageLevels: 256, snapshotLevels: random.chance(0.5) ? 5000 : 20 },
      binance_us: { imageLevels: 256, snapshotLevels: random.chance(0.5) ? 1000 : 20 },
    },
  });
}

/** Native names of the books that a message subscribes, on exchanges that send the first book by themselves. */
export function booksAskedIn(text: string): readonly string[] {
  const message = JSON.parse(text) as {
    type?: string;
    method?: string;
    product_ids?: string[];
    channels?: unknown[];
    params?: { channel?: string; symbol?: string[] };
  };
  if (message.type === "subscribe" && message.channels?.includes("level2_batch") === true) {
    return message.product_ids ?? [];
  }
  return message.method === "subscribe" && message.params?.channel === "book" ? (message.params.symbol ?? []) : [];
}
