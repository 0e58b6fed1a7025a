/**
 * Follows books whole for as long as a component stands. Bad case: a component that names other books at each rendering:
 * each change is a subscription and its end, so pass names that stay.
 */
import { useEffect } from "react";
import type { MarketStore } from "./market_store.ts";

/** Follows and records these books until the component goes. @param names joined by commas, so that equal lists are equal */
export function useWatch(store: MarketStore, names: string): void {
  useEffect(() => (names === "" ? undefined : store.watch(names.split(","))), [store, names]);
}

/** Follows these books without recording them until the component goes. @param names joined by commas */
export function useFollow(store: MarketStore, names: string): void {
  useEffect(() => (names === "" ? undefined : store.follow(names.split(","))), [store, names]);
}
