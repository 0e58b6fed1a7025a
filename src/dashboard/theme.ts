/**
 * Dark or light: what the system prefers until somebody chooses. Styles follow the attribute data-theme of the document,
 * drawings on canvas take their colours from the palette here.
 * Bad case: a browser that keeps nothing (private mode): the choice then lasts until the page is left.
 */
import { Cell } from "./cell.ts";

/** What was chosen; `auto` follows the system. */
export type ThemeChoice = "auto" | "dark" | "light";

/** Colours of drawings. */
export type Palette = {
  readonly name: "dark" | "light";
  readonly bid: string;
  readonly ask: string;
  readonly mid: string;
  readonly warn: string;
  readonly text: string;
  readonly axis: string;
  readonly grid: string;
  readonly bidFill: string;
  readonly askFill: string;
  readonly midFill: string;
  readonly band: string;
  readonly crosshair: string;
  /** Behind labels on a drawing. */
  readonly label: string;
  /** Lines of several exchanges in one chart. */
  readonly series: readonly string[];
  /** Heat colours from little to much, `#rrggbb`, at equal distances. */
  readonly heat: readonly string[];
  /** A heat cell without quantity, one whose quantity is not known, and a time at which the book was not synced. */
  readonly heatEmpty: string;
  readonly heatUnknown: string;
  readonly heatHole: string;
};

const DARK: Palette = {
  name: "dark",
  bid: "#2fbf8a",
  ask: "#f2576b",
  mid: "#5aa9f2",
  warn: "#f0b541",
  text: "#dbe2ec",
  axis: "#8593a5",
  grid: "rgba(133, 147, 165, 0.13)",
  bidFill: "rgba(47, 191, 138, 0.20)",
  askFill: "rgba(242, 87, 107, 0.20)",
  midFill: "rgba(90, 169, 242, 0.12)",
  band: "rgba(138, 152, 170, 0.12)",
  crosshair: "rgba(219, 226, 236, 0.55)",
  label: "#1c2531",
  series: ["#5aa9f2", "#f0b541", "#b48cf2", "#4fd0c0", "#f28d5a", "#9ecb5a"],
  heat: ["#101d33", "#163f6e", "#1b7397", "#2fae9b", "#b9d36a", "#ffe98a", "#ffffff"],
  heatEmpty: "#0b1019",
  heatUnknown: "#161b24",
  heatHole: "#33280f",
};

const LIGHT: Palette = {
  name: "light",
  bid: "#067a50",
  ask: "#c8233d",
  mid: "#1e6fc0",
  warn: "#965900",
  text: "#18202b",
  axis: "#566373",
  grid: "rgba(70, 85, 105, 0.14)",
  bidFill: "rgba(6, 122, 80, 0.16)",
  askFill: "rgba(200, 35, 61, 0.14)",
  midFill: "rgba(30, 111, 192, 0.10)",
  band: "rgba(70, 85, 105, 0.10)",
  crosshair: "rgba(24, 32, 43, 0.55)",
  label: "#e6ebf1",
  series: ["#1e6fc0", "#a86400", "#7a4bc4", "#0a7d74", "#bb4f14", "#4f7d10"],
  heat: ["#e9f0f8", "#c3d9ee", "#8fbde0", "#5295cf", "#4d63b8", "#5a2f92", "#31074f"],
  heatEmpty: "#ffffff",
  heatUnknown: "#e7e9ed",
  heatHole: "#f6e3b5",
};

const STORED_AS = "alphapulse.theme";
const LIGHT_QUERY = "(prefers-color-scheme: light)";

/** The colours in force. */
export const palette = new Cell<Palette>(DARK);
/** What was chosen. */
export const themeChoice = new Cell<ThemeChoice>("auto");

/** Applies what was chosen last and follows the system from here on; to be called once, before the first painting. */
export function startTheme(): void {
  const stored = readStored();
  themeChoice.set(stored === "dark" || stored === "light" ? stored : "auto");
  matchMedia(LIGHT_QUERY).addEventListener("change", apply);
  apply();
}

/** Chooses for this browser. */
export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.set(choice);
  try {
    localStorage.setItem(STORED_AS, choice);
  } catch (error) {
    if (!(error instanceof DOMException)) {
      throw error;
    }
  }
  apply();
}

/** Turns what is shown now into its opposite. */
export function toggleTheme(): void {
  chooseTheme(palette.get().name === "dark" ? "light" : "dark");
}

function apply(): void {
  const choice = themeChoice.get();
  const isLight = choice === "light" || (choice === "auto" && matchMedia(LIGHT_QUERY).matches);
  document.documentElement.dataset.theme = isLight ? "light" : "dark";
  palette.set(isLight ? LIGHT : DARK);
}

function readStored(): string | null {
  try {
    return localStorage.getItem(STORED_AS);
  } catch (error) {
    if (error instanceof DOMException) {
      return null;
    }
    throw error;
  }
}
