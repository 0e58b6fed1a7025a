/**
 * Faults of single frames, seen by a raw client: a disturbed run is the undisturbed run of the same seed, changed exactly
 * as the fault says, at the place that the journal names, and nowhere else.
 * Bad case: a fault that moves the randomness of the market; then every later frame would differ and every test here fail.
 */
import { isUtf8 } from "node:buffer";
import { describe, expect, test } from "vitest";
import {
  type FaultEntry,
  type FaultReport,
  parseFaultScript,
  startInMemory,
  VirtualClock,
} from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { capturePath, capturesPresent } from "../support/captures.ts";
import { levelsIn, parsed, subjectOf } from "./frame_subjects.ts";
import { type Came, openClient, type Run, run, START_MS, SYMBOLS, subscribe } from "./memory_rig.ts";

const AFTER = 4;
const EACH = EXCHANGE_IDS.map((exchange) => [exchange] as const);

type Struck = { readonly calm: Run; readonly stormy: Run; readonly entry: FaultEntry };

/** One fault on the first connection and the second instrument, and the same run without it. */
async function strike(exchange: ExchangeId, rule: Record<string, unknown>, depth = 10): Promise<Struck> {
  const instrument = SYMBOLS[exchange][1];
  const faults = [{ exchange, instrument, connection: 1, after: AFTER, ...rule }];
  const [calm, stormy] = await Promise.all([run(exchange, { depth }), run(exchange, { depth, faults })]);
  expect(stormy.report.counts).toEqual({ [String(rule.kind)]: 1 });
  const [entry] = stormy.report.entries;
  if (entry === undefined) {
    throw new Error(`Cannot go on: nothing was injected, was ${String(rule.kind)}`);
  }
  expect(entry).toMatchObject({ kind: rule.kind, exchange, instrument, connection: 1, rule: 0 });
  const target = textAt(calm, entry.frame);
  expect(subjectOf(exchange, target)).toEqual({ kind: "book", symbol: instrument });
  const earlier = calm.clients[0].texts.slice(0, entry.frame).map((text) => subjectOf(exchange, text));
  expect(earlier.filter(({ kind, symbol }) => kind === "book" && symbol === instrument)).toHaveLength(AFTER);
  expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
  return { calm, stormy, entry };
}

function textAt(result: Run, index: number): string {
  return result.clients[0].texts[index] ?? "";
}

/** The texts of the first client without a fault, with some replaced. */
function replaced({ calm, entry }: Struck, ...texts: string[]): string[] {
  return calm.clients[0].texts.toSpliced(entry.frame, 1, ...texts);
}

function differences(one: string, other: string): number[] {
  expect(one).toHaveLength(other.length);
  return [...one].flatMap((character, index) => (character === other[index] ? [] : [index]));
}

describe.each(EACH)("a fault of one frame of %s", (exchange) => {
  test("drop takes the frame away when it strikes", async () => {
    const struck = await strike(exchange, { kind: "drop" });
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck));
  });

  test("duplicate sends the frame twice in a row when it strikes", async () => {
    const struck = await strike(exchange, { kind: "duplicate" });
    const text = textAt(struck.calm, struck.entry.frame);
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, text, text));
  });

  test("reorder sends the frame behind the next one of its instrument when it strikes", async () => {
    const struck = await strike(exchange, { kind: "reorder" });
    const { calm, stormy, entry } = struck;
    const { texts } = calm.clients[0];
    const isNext = (text: string, index: number): boolean => {
      const { kind, symbol } = subjectOf(exchange, text);
      return index > entry.frame && kind === "book" && symbol === entry.instrument;
    };
    const next = texts.findIndex(isNext);
    expect(next).toBeGreaterThan(entry.frame);
    const moved = texts.toSpliced(next + 1, 0, textAt(calm, entry.frame)).toSpliced(entry.frame, 1);
    expect(stormy.clients[0].texts).toEqual(moved);
  });

  test("truncate leaves a beginning of the frame when it strikes", async () => {
    const struck = await strike(exchange, { kind: "truncate" });
    const whole = textAt(struck.calm, struck.entry.frame);
    const cut = textAt(struck.stormy, struck.entry.frame);
    expect(cut.length).toBeGreaterThan(0);
    expect(cut.length).toBeLessThan(whole.length);
    expect(whole.startsWith(cut)).toBe(true);
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, cut));
  });

  test("corrupt_bit flips one bit when it strikes", async () => {
    const struck = await strike(exchange, { kind: "corrupt_bit" });
    const [before, after] = [struck.calm, struck.stormy].map((one) => one.clients[0].came[struck.entry.frame]?.bytes);
    const flipped = [...(before ?? [])].map((byte, index) => byte ^ (after?.[index] ?? 0)).filter((bits) => bits !== 0);
    expect(flipped).toHaveLength(1);
    expect([1, 2, 4, 8, 16, 32, 64]).toContain(flipped[0]);
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, textAt(struck.stormy, struck.entry.frame)));
  });

  test("corrupt_digit leaves a readable frame with one other digit in a level when it strikes", async () => {
    const struck = await strike(exchange, { kind: "corrupt_digit" });
    const [before, after] = [textAt(struck.calm, struck.entry.frame), textAt(struck.stormy, struck.entry.frame)];
    expect(differences(before, after)).toHaveLength(1);
    expect(Object.keys(parsed(after))).toEqual(Object.keys(parsed(before)));
    const levels = [before, after].map((text) => levelsIn(exchange, text));
    expect(levels[0]?.filter((level, index) => String(level) !== String(levels[1]?.[index]))).toHaveLength(1);
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, after));
  });

  test("level_missing leaves out one price and nothing else when it strikes", async () => {
    const struck = await strike(exchange, { kind: "level_missing" });
    const [before, after] = [textAt(struck.calm, struck.entry.frame), textAt(struck.stormy, struck.entry.frame)];
    const [side, price] = struck.entry.detail.replaceAll('"', "").split(" ");
    const kept = levelsIn(exchange, before).filter(([own, at]) => own !== side || Number(at) !== Number(price));
    expect(kept.length).toBeLessThan(levelsIn(exchange, before).length);
    expect(levelsIn(exchange, after)).toEqual(kept);
    const rest = (text: string): string => text.replace(/"(changes|bids|asks|b|a)":\[([[{][^\]}]*[\]}],?)*\]/g, "");
    expect(rest(after)).toBe(rest(before));
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, after));
  });

  test("drift_unknown sends another frame of an unknown kind behind it when it strikes", async () => {
    const struck = await strike(exchange, { kind: "drift_unknown" });
    const extra = textAt(struck.stormy, struck.entry.frame + 1);
    expect(subjectOf(exchange, extra).kind).toBe("other");
    expect(parsed(extra)).not.toEqual({});
    const text = textAt(struck.calm, struck.entry.frame);
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, text, extra));
  });

  test("delay holds back the instrument's frames in order when it strikes, and no other", async () => {
    const { calm, stormy, entry } = await strike(exchange, { kind: "delay", ms: 700 });
    const isHers = ({ text }: Came): boolean => subjectOf(exchange, text).symbol === entry.instrument;
    const [before, after] = [calm.clients[0].came, stormy.clients[0].came];
    const others = (list: readonly Came[]) => list.filter((one) => !isHers(one)).map(({ text, atMs }) => [text, atMs]);
    expect(others(after)).toEqual(others(before));
    const endMs = entry.atMs + 700;
    const late = before.filter(isHers).map(({ text, atMs }) => {
      const isHeld = atMs >= entry.atMs && atMs < endMs && before.findIndex((one) => one.text === text) >= entry.frame;
      return [text, isHeld ? endMs : atMs];
    });
    expect(after.filter(isHers).map(({ text, atMs }) => [text, atMs])).toEqual(late);
    expect(late.filter(([, atMs]) => atMs === endMs).length).toBeGreaterThan(1);
  });
});

describe("a fault of one frame", () => {
  test("corrupt_byte changes one byte, and closes the client where it is no UTF-8 any more, when it strikes", async () => {
    const seen = { readable: 0, closed: 0 };
    for (let seed = 1; seed <= 12; seed += 1) {
      const faults = [{ kind: "corrupt_byte", connection: 1, after: AFTER }];
      const [calm, stormy] = await Promise.all([
        run("kraken", { seed, ms: 3_000 }),
        run("kraken", { seed, ms: 3_000, faults }),
      ]);
      const [entry] = stormy.report.entries;
      const [, offset, before, after] = /^byte (\d+) from (\d+) to (\d+)$/.exec(entry?.detail ?? "") ?? [];
      const bytes = Buffer.from(calm.clients[0].came[entry?.frame ?? 0]?.bytes ?? "");
      expect(bytes[Number(offset)]).toBe(Number(before));
      bytes[Number(offset)] = Number(after);
      expect(after).not.toBe(before);
      const sent = stormy.clients[0].came[entry?.frame ?? 0]?.bytes;
      if (isUtf8(bytes)) {
        expect(sent).toEqual(bytes);
        seen.readable += 1;
      } else {
        expect(stormy.clients[0].closed).toEqual([expect.stringContaining("invalid UTF-8")]);
        expect(stormy.clients[0].texts).toEqual(calm.clients[0].texts.slice(0, entry?.frame));
        seen.closed += 1;
      }
      expect(stormy.clients[1].texts).toEqual(calm.clients[1].texts);
    }
    expect(Math.min(seen.readable, seen.closed)).toBeGreaterThan(0);
  });

  test("wrong_checksum changes the checksum alone when it strikes Kraken", async () => {
    const struck = await strike("kraken", { kind: "wrong_checksum" });
    const [before, after] = [textAt(struck.calm, struck.entry.frame), textAt(struck.stormy, struck.entry.frame)];
    expect(after.replace(/"checksum":\d+/, "")).toBe(before.replace(/"checksum":\d+/, ""));
    expect(parsed(after)).not.toEqual(parsed(before));
    expect(struck.stormy.clients[0].texts).toEqual(replaced(struck, after));
  });

  test("level_missing takes a level below the best ten when it is asked for a deep one", async () => {
    const instrument = SYMBOLS.kraken[1];
    const faults = [{ kind: "level_missing", exchange: "kraken", instrument, connection: 1, where: "deep" }];
    const options = { depth: 100, levels: 400, ms: 30_000 };
    const [calm, stormy] = await Promise.all([run("kraken", options), run("kraken", { ...options, faults })]);
    const [entry] = stormy.report.entries;
    const [side, price] = entry?.detail.split(" ") ?? [];
    const held = new Map<string, string>();
    for (const text of calm.clients[0].texts.slice(0, (entry?.frame ?? 0) + 1)) {
      for (const [own, at, quantity] of subjectOf("kraken", text).symbol === instrument
        ? levelsIn("kraken", text)
        : []) {
        if (own === side) {
          held.set(at, quantity);
        }
      }
    }
    const better = [...held].filter(([at, quantity]) => {
      return quantity !== "0" && (side === "bid" ? Number(at) > Number(price) : Number(at) < Number(price));
    });
    expect(better.length).toBeGreaterThanOrEqual(10);
    expect(stormy.report.total).toBe(1);
  });

  test("strikes about as often as its probability or its rate says", async () => {
    const faults = [
      { kind: "drop", instrument: "BTC/USD", connection: 1, probability: 0.1 },
      { kind: "duplicate", instrument: "ETH/USD", per_second: 0.5, until_ms: 40_000 },
    ];
    const [calm, stormy] = await Promise.all([run("kraken", { ms: 60_000 }), run("kraken", { ms: 60_000, faults })]);
    const books = calm.clients[0].texts.filter((text) => {
      const { kind, symbol } = subjectOf("kraken", text);
      return kind === "book" && symbol === "BTC/USD";
    });
    const { drop = 0, duplicate = 0 } = stormy.report.counts;
    expect(drop / books.length).toBeGreaterThan(0.05);
    expect(drop / books.length).toBeLessThan(0.15);
    expect(duplicate).toBeGreaterThan(8);
    expect(duplicate).toBeLessThan(35);
    const late = stormy.report.entries.filter(({ kind, atMs }) => kind === "duplicate" && atMs > 1_780_000_040_000);
    expect(late).toHaveLength(0);
    expect(calm.report.total).toBe(0);
  });
});

describe.runIf(capturesPresent())("a fault of one frame of a capture", () => {
  test("strikes the recorded stream and nothing else of it", async () => {
    const file = capturePath("kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz");
    const source = { kind: "capture", files: [file], speed: 0, exchange: "kraken" } as const;
    const play = async (
      faults: readonly Record<string, unknown>[],
    ): Promise<{ texts: string[]; report: FaultReport }> => {
      const clock = new VirtualClock(START_MS);
      const emulator = await startInMemory({
        exchanges: ["kraken"],
        source,
        clock,
        faults: parseFaultScript({ fault: faults }),
      });
      const rig = { emulator, clock };
      const client = openClient(rig, "kraken");
      subscribe(client, "kraken");
      clock.advance(5_000);
      emulator.close();
      return { texts: client.texts, report: emulator.faults() };
    };
    const target = { instrument: "ETH/USD", after: 50 };
    const calm = await play([]);
    const stormy = await play([
      { kind: "drop", ...target },
      { kind: "level_missing", ...target },
      { kind: "wrong_checksum", ...target },
    ]);
    const indexes = stormy.report.entries.map(({ frame }) => frame);
    expect(stormy.report.counts).toEqual({ drop: 1, level_missing: 1, wrong_checksum: 1 });
    expect(stormy.texts).toHaveLength(calm.texts.length - 1);
    const dropped = indexes[0] ?? 0;
    const differing = calm.texts.toSpliced(dropped, 1).flatMap((text, index) => {
      return text === stormy.texts[index] ? [] : [index < dropped ? index : index + 1];
    });
    expect([...new Set(indexes.slice(1))]).toEqual(differing);
    expect(calm.texts.length).toBeGreaterThan(1_700);
  });

  test("is refused when it needs a market", async () => {
    const files = [capturePath("kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz")];
    const source = { kind: "capture", files, speed: 0, exchange: "kraken" } as const;
    const faults = parseFaultScript({ fault: [{ kind: "auction" }] });
    const clock = new VirtualClock(START_MS);
    const started = startInMemory({ exchanges: ["kraken"], source, clock, faults });
    await expect(started).rejects.toThrow(/fault\[0\]\.kind: it needs a synthetic market/);
    const truth = startInMemory({ exchanges: ["kraken"], source, clock, truth: true });
    await expect(truth).rejects.toThrow(/truth needs a synthetic market/);
  });
});
