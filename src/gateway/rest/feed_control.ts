/**
 * Adding and removing instruments while everything runs, as REST asks for it. Whoever owns the collectors implements it;
 * a gateway whose collectors are other processes has none.
 * Bad case: a change that takes long, because the exchange answers late; the request waits, nothing else does.
 */

/** An instrument that is collected. */
export type FeedEntry = {
  readonly exchange: string;
  /** Canonical, `BASE-QUOTE`. */
  readonly symbol: string;
};

/** What became of a change. `already_there` and `not_there`: nothing was to be done. */
export type FeedOutcome = { readonly kind: "added" | "already_there" | "removed" | "not_there" } | FeedRefused;

/** Why a change was refused; nothing was changed. */
export type FeedRefused = {
  readonly kind: "refused";
  readonly code: FeedRefusalCode;
  /** A sentence for a person. */
  readonly message: string;
  /** Names that may have been meant, nearest first. */
  readonly nearest: readonly string[];
};

/**
 * `unknown_exchange`: it does not run here · `unknown_instrument`: the exchange lists none of that name · `no_room`: it
 * would disturb others · `unavailable`: it cannot be done at this moment, another time it may.
 */
export const FEED_REFUSALS = ["unknown_exchange", "unknown_instrument", "no_room", "unavailable"] as const;
/** A reason. */
export type FeedRefusalCode = (typeof FEED_REFUSALS)[number];

/** The collectors, as far as their instruments can be changed. None of the promises rejects for a reason of the asker. */
export interface FeedControl {
  /** All that are collected or being added. */
  list(): readonly FeedEntry[];
  /** @param exchange an exchange id @param symbol canonical, upper case; both are unchecked beyond their form */
  add(exchange: string, symbol: string): Promise<FeedOutcome>;
  remove(exchange: string, symbol: string): Promise<FeedOutcome>;
}
