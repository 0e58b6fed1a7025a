/**
 * The keys of the page: `/` to the filter, arrows along rows, Escape back, `?` help, 1 2 3 4 views, t theme. A key that is
 * typed into a field, or pressed with Ctrl, Alt or Meta, is left alone.
 * Bad case: a filter that is not on the page: `/` goes to the overview first and finds it there.
 */
import { type KeyboardEvent as ReactKeyboardEvent, type RefObject, useEffect, useRef } from "react";
import { pairHref } from "./route.ts";
import { toggleTheme } from "./theme.ts";
import { heatZoom, isHelpOpen, overviewFilter, zoomBy } from "./view_state.ts";

/** What the help lists. */
export const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ["/", "Filter the instruments"],
  ["↑ ↓ Home End", "Along the rows"],
  ["Enter", "Open the instrument"],
  ["Esc", "Clear the filter, or back to all instruments"],
  ["1 2 3 4", "Instruments, pairs across exchanges, system, arbitrage"],
  ["+ − 0", "Zoom the heat map's prices in, out, to fit"],
  ["← ↑ ↓ →", "In the heat map: from cell to cell, with Shift by ten"],
  ["t", "Dark or light"],
  ["?", "This help"],
];

let wantsFilter = false;

/** The filter's field: takes the focus when `/` is pressed. */
export function useFilter(): RefObject<HTMLInputElement | null> {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = () => {
      wantsFilter = false;
      ref.current?.select();
      ref.current?.focus();
    };
    if (wantsFilter) {
      focus();
    }
    addEventListener("alphapulse:filter", focus);
    return () => removeEventListener("alphapulse:filter", focus);
  }, []);
  return ref;
}

/** Listens for the keys of the whole page; to be called once. */
export function startKeyboard(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || isAsked()) {
      return;
    }
    const field = event.target instanceof HTMLInputElement ? event.target : undefined;
    if (event.key === "Escape") {
      leave(field);
    } else if (field === undefined) {
      press(event);
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      rowLinks()[0]?.focus();
    }
  });
}

/** Arrow keys along the rows of a table whose rows hold a link each. */
export function moveAmongRows(event: ReactKeyboardEvent): void {
  const links = rowLinks();
  const at = links.indexOf(event.target as HTMLElement);
  const targets: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 };
  const next = targets[event.key];
  if (next === undefined || at < 0) {
    return;
  }
  event.preventDefault();
  links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
}

/** The dialog itself is asked: it tells of its closing some time after it was closed, and keys pressed meanwhile count. */
function isAsked(): boolean {
  return document.querySelector("dialog[open]") !== null;
}

function rowLinks(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(".rows tbody th a")];
}

function press(event: KeyboardEvent): void {
  const actions: Record<string, () => void> = {
    "/": toFilter,
    "?": () => isHelpOpen.set(true),
    "1": () => goTo("#/"),
    "2": () => goTo(pairHref()),
    "3": () => goTo("#/system"),
    "4": () => goTo("#/arbitrage"),
    "+": () => zoomBy(1),
    "-": () => zoomBy(-1),
    "0": () => heatZoom.set(0),
    t: toggleTheme,
    ArrowDown: () => rowLinks()[0]?.focus(),
  };
  const action = actions[event.key];
  const isElsewhere = event.key === "ArrowDown" && document.activeElement !== document.body;
  if (action !== undefined && !isElsewhere) {
    event.preventDefault();
    action();
  }
}

function toFilter(): void {
  const isOverview = ["", "#", "#/"].includes(location.hash);
  wantsFilter = !isOverview;
  if (isOverview) {
    dispatchEvent(new Event("alphapulse:filter"));
  } else {
    goTo("#/");
  }
}

function leave(field: HTMLInputElement | undefined): void {
  if (field !== undefined || overviewFilter.get() !== "") {
    overviewFilter.set("");
    field?.blur();
  } else if (document.activeElement instanceof HTMLElement && document.activeElement.matches(".heat")) {
    document.activeElement.blur();
  } else {
    goTo("#/");
  }
}

function goTo(hash: string): void {
  location.hash = hash;
}
