/**
 * Direct writing into the page, for what changes many times a second: each writer remembers what it wrote and touches
 * the document only when that differs. React owns the elements around; what is inside them belongs to these writers.
 * Bad case: an element whose content both React and a writer change: React would write into removed nodes.
 */
import { type RefObject, useEffect, useRef } from "react";
import { padDecimals } from "./decimal_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";

/** Builds the content of an element and returns what paints it each frame. */
export type Mount<E extends HTMLElement> = (element: E, store: InstrumentStore, rows: number) => Painter;

/**
 * Attaches a painter to an element for as long as the component stands.
 * @param mount a function of a module (not made in the component), so that it stays the same
 * @param rows passed on: how many rows to build
 * @returns the ref for the element; React children of it must stand from the beginning and stay, the painter's come behind them
 */
export function usePainter<E extends HTMLElement>(
  store: InstrumentStore,
  mount: Mount<E>,
  rows = 0,
): RefObject<E | null> {
  const ref = useRef<E>(null);
  useEffect(() => {
    const element = ref.current;
    if (element === null) {
      return;
    }
    const own = element.childNodes.length;
    const stop = paintWhileVisible(element, store, mount(element, store, rows));
    return () => {
      stop();
      while (element.childNodes.length > own) {
        element.lastChild?.remove();
      }
    };
  }, [store, mount, rows]);
  return ref;
}

/** Runs a painter on the frames of an instrument while an element is on the screen or close to it. @returns ends it */
export function paintWhileVisible(element: HTMLElement, store: InstrumentStore, paint: Painter): () => void {
  let stop = store.onFrame(paint);
  let isPainting = true;
  const observer = new IntersectionObserver(
    (entries) => {
      const isVisible = entries.at(-1)?.isIntersecting === true;
      if (isVisible !== isPainting) {
        isPainting = isVisible;
        stop();
        stop = isVisible ? store.onFrame(paint) : () => undefined;
      }
    },
    { rootMargin: "80px" },
  );
  observer.observe(element);
  return () => {
    observer.disconnect();
    stop();
  };
}

/** Appends an element. @param className also names its role for the tests */
export function append(parent: HTMLElement, tag: string, className: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

/** Writes one text, only when it differs. */
export class TextSlot {
  readonly #node = document.createTextNode("");
  #text = "";

  constructor(element: HTMLElement) {
    element.append(this.#node);
  }

  /** @returns whether it differed */
  set(text: string): boolean {
    if (text === this.#text) {
      return false;
    }
    this.#text = text;
    this.#node.data = text;
    return true;
  }
}

/** Writes an exact number with its decimals filled up; the filling zeros are dimmed. */
export class NumberSlot {
  readonly #significant: TextSlot;
  readonly #filling: TextSlot;
  #text = "";
  #decimals = -1;
  #room = 0;

  constructor(element: HTMLElement) {
    this.#significant = new TextSlot(element);
    this.#filling = new TextSlot(append(element, "span", "zeros"));
  }

  /**
   * @param text a plain decimal, or a dash or nothing
   * @param decimals to fill up to; below 0 = as it is
   * @param room decimals for which room is left, so that the points of a column stand below each other
   * @returns whether it differed
   */
  set(text: string, decimals: number, room = 0): boolean {
    if (text === this.#text && decimals === this.#decimals && room === this.#room) {
      return false;
    }
    this.#text = text;
    this.#decimals = decimals;
    this.#room = room;
    const isNumber = /\d/.test(text);
    const { significant, filling } = isNumber ? padDecimals(text, decimals) : { significant: text, filling: "" };
    this.#significant.set(significant);
    this.#filling.set(isNumber ? filling + spaceAfter(significant + filling, room) : filling);
    return true;
  }
}

/** Spaces as wide as the digits and the point that a number has fewer than others of its column. */
function spaceAfter(text: string, room: number): string {
  const point = text.indexOf(".");
  const decimals = point < 0 ? 0 : text.length - point - 1;
  const missing = Math.max(room - decimals, 0);
  return `${point < 0 && missing > 0 ? "\u2008" : ""}${"\u2007".repeat(missing)}`;
}

/** Writes one attribute, only when it differs. */
export class AttributeSlot {
  readonly #element: HTMLElement;
  readonly #name: string;
  #value: string | undefined;

  constructor(element: HTMLElement, name: string) {
    this.#element = element;
    this.#name = name;
  }

  set(value: string): void {
    if (value !== this.#value) {
      this.#value = value;
      this.#element.setAttribute(this.#name, value);
    }
  }
}

/** The length of a size bar, 0 … 1, in steps too small to see. */
export class BarSlot {
  static readonly #STEPS = 250;
  readonly #element: HTMLElement;
  #step = -1;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  set(share: number): void {
    const step = Math.round(Math.min(Math.max(share, 0), 1) * BarSlot.#STEPS);
    if (step !== this.#step) {
      this.#step = step;
      this.#element.style.transform = `scaleX(${step / BarSlot.#STEPS})`;
    }
  }
}
