/**
 * Which view the page shows (overview, instrument, pair across exchanges, system, arbitrage), kept in
 * the address after `#`, so that back, reload and sharing a link work. A name with a colon is an instrument's.
 * Bad case: an address that names no known instrument: the detail view says so and links back.
 */
import { useSyncExternalStore } from "react";

/** The address of an instrument's detail view. @param instrument `exchange:BASE-QUOTE` */
export function instrumentHref(instrument: string): string {
  return `#/${encodeURIComponent(instrument).replaceAll("%3A", ":")}`;
}

/** The instrument named after `#`; undefined for the overview. */
export function instrumentOfHash(hash: string): string | undefined {
  const name = hash.replace(/^#\/?/, "");
  try {
    return name === "" ? undefined : decodeURIComponent(name);
  } catch (error) {
    if (error instanceof URIError) {
      return name;
    }
    throw error;
  }
}

/** What the page shows. */
export type View =
  | { readonly kind: "overview" }
  | { readonly kind: "instrument"; readonly name: string }
  | { readonly kind: "pair"; readonly pair: string | undefined }
  | { readonly kind: "system" }
  | { readonly kind: "arbitrage" };

/** The address of a pair across its exchanges; without a pair, of the first. */
export function pairHref(pair?: string): string {
  return pair === undefined ? "#/pair" : `#/pair/${encodeURIComponent(pair)}`;
}

/** The view that an address asks for. */
export function viewOfHash(hash: string): View {
  const name = instrumentOfHash(hash);
  if (name === undefined) {
    return { kind: "overview" };
  }
  if (name === "system" || name === "arbitrage") {
    return { kind: name };
  }
  const isPair = !name.includes(":") && /^pair(\/|$)/.test(name);
  return isPair ? { kind: "pair", pair: name.slice(5) || undefined } : { kind: "instrument", name };
}

/** The view that the address of the page asks for. */
export function useView(): View {
  return viewOfHash(useSyncExternalStore(subscribe, () => location.hash));
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
