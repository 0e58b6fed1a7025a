/**
 * Which view the page shows, kept in the address after `#`, so that back, reload and sharing a link work.
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

/** The instrument whose detail view is asked for; undefined for the overview. */
export function useRoute(): string | undefined {
  return instrumentOfHash(useSyncExternalStore(subscribe, () => location.hash));
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
