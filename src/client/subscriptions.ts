/**
 * What the user of a client asked for, kept over reconnects: channels of instruments or patterns, as they were named.
 * Bad case: a pattern and an instrument that it matches are both subscribed; ending one would end the other on the
 * server. Such a rest is asked for again by the owner after every `unsubscribe`.
 */
import type { Channel } from "../wire/protocol.ts";

/** Channels of instruments or patterns. Empty instruments for `stats` alone. */
export type Request = { readonly channels: readonly Channel[]; readonly instruments: readonly string[] };

/** The requests in force. */
export class Subscriptions {
  readonly #pairs = new Map<string, { channel: Channel; instrument: string }>();

  /** Adds a request. */
  add(request: Request): void {
    for (const pair of pairsOf(request)) {
      this.#pairs.set(`${pair.channel} ${pair.instrument}`, pair);
    }
  }

  /** Takes a request back, as it was named. */
  remove(request: Request): void {
    for (const pair of pairsOf(request)) {
      this.#pairs.delete(`${pair.channel} ${pair.instrument}`);
    }
  }

  /** Everything in force, one request per channel. */
  requests(): Request[] {
    const byChannel = new Map<Channel, string[]>();
    for (const { channel, instrument } of this.#pairs.values()) {
      const instruments = byChannel.get(channel) ?? [];
      byChannel.set(channel, instruments);
      if (channel !== "stats") {
        instruments.push(instrument);
      }
    }
    return [...byChannel].map(([channel, instruments]) => ({ channels: [channel], instruments }));
  }
}

function pairsOf({ channels, instruments }: Request): { channel: Channel; instrument: string }[] {
  return channels.flatMap((channel) => {
    const named = channel === "stats" ? [""] : instruments;
    return named.map((instrument) => ({ channel, instrument }));
  });
}
