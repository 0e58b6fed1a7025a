/**
 * The table of fault classes against the faults that the emulator injects, and the README against the table.
 * Bad case: a kind that was added to the emulator and that nobody thought through for every exchange.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { existsOn, FAULT_KIND_NAMES } from "../../src/emulator/fault_kinds.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { FAULT_CLASSES, faultClass, integrityTable } from "../../src/sync/mod.ts";

const CLASSES = ["A", "B", "harmless"];

describe("FAULT_CLASSES", () => {
  it("names exactly the kinds of faults that the emulator injects", () => {
    expect(Object.keys(FAULT_CLASSES).sort()).toEqual([...FAULT_KIND_NAMES].sort());
  });

  it.each(FAULT_KIND_NAMES)("classes %s on exactly the exchanges where it exists", (kind) => {
    const classed = EXCHANGE_IDS.filter((exchange) => FAULT_CLASSES[kind]?.[exchange] !== undefined);
    expect(classed).toEqual(EXCHANGE_IDS.filter((exchange) => existsOn(kind, exchange)));
    for (const exchange of classed) {
      const entry = FAULT_CLASSES[kind]?.[exchange];
      expect(entry?.shownBy).not.toBe("");
      expect([entry, ...(entry?.cases ?? [])].every((one) => CLASSES.includes(one?.class ?? ""))).toBe(true);
    }
  });
});

describe("faultClass", () => {
  it("tells a checksum that covers the whole book from one that covers its top", () => {
    const classes = (depth: number) =>
      (["any", "top", "deep"] as const).map((part) => faultClass("corrupt_digit", "kraken", { depth, part }).class);
    expect([classes(10), classes(25), classes(1000)]).toEqual([
      ["A", "A", "A"],
      ["B", "A", "B"],
      ["B", "A", "B"],
    ]);
  });

  it("says of a wrong first book what it says of a wrong update, and of a lost one that a timer shows it", () => {
    const first = (kind: string, depth: number, part: "any" | "top" | "deep" = "any") =>
      faultClass(kind, "kraken", { depth, part, frame: "snapshot" }).class;
    expect([first("level_missing", 10), first("level_missing", 25), first("corrupt_digit", 25)]).toEqual([
      "A",
      "B",
      "B",
    ]);
    expect([first("level_missing", 25, "top"), first("level_missing", 25, "deep")]).toEqual(["A", "B"]);
    expect([first("drop", 25), faultClass("drop", "kraken", { depth: 25, frame: "reply" }).class]).toEqual(["A", "A"]);
  });

  it("tells a lost trade from a lost update where only trades are numbered", () => {
    const lost = (frame: "book" | "trade" | "heartbeat") =>
      faultClass("drop", "coinbase_exchange", { depth: 0, frame }).class;
    expect([lost("book"), lost("trade"), lost("heartbeat")]).toEqual(["B", "A", "harmless"]);
  });

  it("says of a changed digit that no checksum covers that nothing shows it", () => {
    const changed = EXCHANGE_IDS.map((exchange) => faultClass("corrupt_digit", exchange, { depth: 10 }).class);
    expect(changed).toEqual(["B", "A", "B", "B"]);
  });

  it("throws when a kind does not exist on an exchange", () => {
    expect(() => faultClass("wrong_checksum", "binance", { depth: 0 })).toThrow(/no such kind on binance/);
    expect(() => faultClass("gremlins", "kraken", { depth: 10 })).toThrow(/was gremlins/);
  });
});

describe("the README", () => {
  it("holds the table of fault classes as it is", () => {
    const text = readFileSync("README.md", "utf8");
    const table = /<!-- integrity -->\n([\s\S]*?)\n<!-- \/integrity -->/.exec(text)?.[1];
    expect(table).toBe(integrityTable());
  });
});
