/**
 * Which part of src may import which: the layer table, as data. The layer test judges every import by it exactly, and
 * biome.json carries the same table as lint rules so that editors show a forbidden import at once.
 * Bad case: a new folder under src that is missing here fails the test until its layer is decided.
 */

/** A part is a folder under src or a single file there without its suffix; `layout` is assembly/layout.ts. */
export type Part = string;

const GROUND: Part[] = ["errors", "layout", "model"];
const KERNEL: Part[] = [...GROUND, "kernel"];
const STATE: Part[] = [...KERNEL, "book", "segment"];
const PURE: Part[] = [...STATE, "arbitrage", "exchanges", "sync", "wire"];
const HOST: Part[] = [...PURE, "assets", "config"];

/** What each part may import, itself included. Imports point down; `feed` and `gateway` meet in the segment only. */
export const MAY_IMPORT: Readonly<Record<Part, readonly Part[]>> = {
  errors: [],
  layout: [],
  model: GROUND,
  assets: ["errors"],
  kernel: KERNEL,
  book: STATE,
  segment: STATE,
  arbitrage: PURE,
  exchanges: PURE,
  sync: PURE,
  wire: PURE,
  rest: [...PURE, "rest"],
  config: [...GROUND, "config", "exchanges"],
  capture: [...HOST, "capture"],
  mapping: [...HOST, "mapping"],
  reader: [...HOST, "mapping", "reader"],
  feed: [...HOST, "capture", "feed", "mapping"],
  gateway: [...HOST, "gateway", "rest"],
  nats: [...HOST, "mapping", "nats"],
  emulator: [...GROUND, "assets", "capture", "config", "emulator", "exchanges", "sync", "wire"],
  client: [...KERNEL, "book", "client", "wire"],
  react: [...KERNEL, "book", "client", "react", "wire"],
  dashboard: [...KERNEL, "book", "client", "dashboard", "react", "rest", "wire"],
  replay: [...HOST, "capture", "client", "replay"],
  load: [...HOST, "client", "emulator", "feed", "load", "mapping", "reader"],
  commands: [
    ...HOST,
    "capture",
    "client",
    "commands",
    "emulator",
    "feed",
    "gateway",
    "load",
    "mapping",
    "nats",
    "replay",
  ],
  standalone: ["assets", "standalone"],
  main: ["commands", "config", "errors", "main", "mapping", "assets"],
};

const SINGLE_FILES: Part[] = ["assets", "errors", "layout", "main"];
const FOLDERS = Object.keys(MAY_IMPORT).filter((part) => !SINGLE_FILES.includes(part));

/** Parts without I/O: no `node:` module, no clock, no timer, no randomness of their own. */
export const PURE_PARTS: readonly Part[] = [...PURE, "rest"].filter((part) => part !== "layout");

/** Parts that run unchanged in browsers, Deno and Bun, with all that they import. */
export const PORTABLE_PARTS: readonly Part[] = [...PURE_PARTS, "client", "react", "dashboard"];

/** Names that only Node has as globals. */
export const NODE_GLOBALS = ["Buffer", "__dirname", "__filename", "global", "process", "require", "setImmediate"];

/** Globals through which time, randomness, sockets or the environment would enter. */
export const IMPURE_GLOBALS = [
  "WebSocket",
  "Worker",
  "console",
  "crypto",
  "fetch",
  "performance",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
];

/**
 * The part that a file belongs to.
 * @param path relative to the repository
 * @returns undefined for examples, and for files outside src and other than assembly/layout.ts
 */
export function partOf(path: string): Part | undefined {
  if (path === "assembly/layout.ts") {
    return "layout";
  }
  const [folder, first, ...rest] = path.split("/");
  if (folder !== "src" || first === undefined || rest[0] === "examples") {
    return undefined;
  }
  return rest.length === 0 ? first.replace(/\.tsx?$/, "") : first;
}

/**
 * The `overrides` of biome.json that forbid what the table forbids; parts with the same rules share one. Biome sees
 * specifiers, not files: a part is named by its folder at any depth, hence single files are left to the layer test.
 */
export function biomeOverrides(): object[] {
  const rulesByPart = FOLDERS.map((part) => [`src/${part}/**`, JSON.stringify(lintRules(part))] as const);
  const distinct = [...new Set(rulesByPart.map(([, rules]) => rules))];
  return distinct.map((rules) => ({
    includes: rulesByPart.filter((entry) => entry[1] === rules).map(([include]) => include),
    linter: { rules: { style: JSON.parse(rules) as object } },
  }));
}

function lintRules(part: Part): object {
  const forbidden = FOLDERS.filter((other) => !MAY_IMPORT[part]?.includes(other)).map((other) => `**/${other}/**`);
  const node = PORTABLE_PARTS.includes(part) ? ["node:*"] : [];
  const patterns = [
    { group: [...forbidden, ...node], message: "Not from this layer: see test/support/layers.ts." },
    { group: ["**/assembly/**", "!**/assembly/layout.ts"], message: "Only the layout is shared with assembly/." },
  ];
  const globals = forbiddenGlobals(part).map((name) => [name, "Not in this layer: it is an argument."]);
  const deniedGlobals = Object.fromEntries(globals) as Record<string, string>;
  return {
    noRestrictedImports: { level: "error", options: { patterns } },
    ...(globals.length === 0 ? {} : { noRestrictedGlobals: { level: "error", options: { deniedGlobals } } }),
  };
}

/** The globals that a part may not use. */
export function forbiddenGlobals(part: Part): string[] {
  return [...(PORTABLE_PARTS.includes(part) ? NODE_GLOBALS : []), ...(PURE_PARTS.includes(part) ? IMPURE_GLOBALS : [])];
}
