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
 * @returns the ref for the element, which must have no React children
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
    const stop = store.onFrame(mount(element, store, rows));
    return () => {
      stop();
      element.replaceChildren();
    };
  }, [store, mount, rows]);
  return ref;
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

  constructor(element: HTMLElement) {
    this.#significant = new TextSlot(element);
    this.#filling = new TextSlot(append(element, "span", "zeros"));
  }

  /**
   * @param text a plain decimal, or a dash or nothing
   * @param decimals to fill up to; below 0 = as it is
   * @returns whether it differed
   */
  set(text: string, decimals: number): boolean {
    if (text === this.#text && decimals === this.#decimals) {
      return false;
    }
    this.#text = text;
    this.#decimals = decimals;
    const isNumber = /\d/.test(text);
    const { significant, filling } = isNumber ? padDecimals(text, decimals) : { significant: text, filling: "" };
    this.#significant.set(significant);
    this.#filling.set(filling);
    return true;
  }
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
