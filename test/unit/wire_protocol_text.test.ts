/**
 * PROTOCOL.md says what the code does: its tables are the constants, its examples the messages, its worked example the
 * golden vectors. Bad case: a sentence that is wrong; only tables, examples and numbers can be compared.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  FRAME_BBO,
  FRAME_BYTES_MAX,
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_SNAPSHOT,
  FRAME_TRADES,
} from "../../assembly/layout.ts";
import { packageFolder } from "../../src/assets.ts";
import { KEY_SUBPROTOCOL } from "../../src/gateway/access.ts";
import { GATEWAY_LIMITS, VIEW_SETS } from "../../src/gateway/limits.ts";
import { ASSURANCE_WORDS, STATE_WORDS, TRADING_WORDS } from "../../src/model/states.ts";
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from "../../src/wire/examples.ts";
import {
  CHANNELS_MAX,
  CLIENT_SCHEMAS,
  INSTRUMENT_LENGTH_MAX,
  INSTRUMENTS_MAX,
  parseClientMessage,
} from "../../src/wire/messages.ts";
import {
  CHANNEL_POLICIES,
  CHANNELS,
  CLOSE_CODES,
  COUNTED_ERRORS,
  ERROR_CODES,
  PROTOCOL_VERSION,
  RESET_REASONS,
  RESYNC_REASONS,
  STREAM_PATHS,
  SUBPROTOCOL_BINARY,
  SUBPROTOCOL_JSON,
} from "../../src/wire/protocol.ts";
import { SERVER_SCHEMAS } from "../../src/wire/server_schemas.ts";
import { coded, protocolBlocks, protocolRows, protocolSection } from "../support/protocol_text.ts";
import { readVectors, VECTORS_FILE } from "../support/stream_golden/mod.ts";
import { chainNext, levelHash } from "../support/stream_golden/model.ts";

const VECTORS = readVectors(readFileSync(join(packageFolder(), VECTORS_FILE), "utf8"));

function firstWords(heading: string): string[] {
  return protocolRows(heading).flatMap(([cell]) => coded(cell));
}

/** The bytes that an explanation begins with. */
function leadingBytes(column: string): string {
  return /^(?:(?:[0-9a-f]{2})+(?: |$))+/.exec(column)?.[0].replaceAll(" ", "") ?? "";
}

/** Examples of a section, one a line. */
function examples(heading: string): unknown[] {
  const lines = protocolBlocks(heading, "json").flatMap((block) => block.trim().split("\n"));
  return lines.map((line) => JSON.parse(line) as unknown);
}

describe("The tables of PROTOCOL.md", () => {
  it("name version, paths and subprotocols when a client connects", () => {
    expect(protocolSection(`The stream, protocol ${PROTOCOL_VERSION}`)).toContain("WebSocket");
    const text = protocolSection("Connecting");
    for (const path of STREAM_PATHS) {
      expect(text).toContain(path);
    }
    expect(firstWords("Connecting").slice(0, 2)).toEqual([SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON]);
    expect(text).toContain(`\`${KEY_SUBPROTOCOL}\``);
  });

  it("name every operation, message and word", () => {
    expect(firstWords("Requests")).toEqual(Object.keys(CLIENT_SCHEMAS));
    const messages = protocolRows("Answers and control messages").filter(([, fields]) => fields !== undefined);
    const types = new Set(messages.flatMap(([cell]) => coded(cell)));
    const control = Object.keys(SERVER_SCHEMAS).filter((type) => !/^(orderbook|orderbook_delta|trade|bbo)$/.test(type));
    expect(control.filter((type) => !types.has(type))).toEqual([]);
    const words = (field: string) => {
      const row = protocolRows("Answers and control messages").find(([cell]) => cell === `\`${field}\``);
      return coded(row?.[1]).filter((word) => word !== field);
    };
    expect(words("state").slice(0, -1)).toEqual([...new Set([...Object.values(STATE_WORDS), "unknown"])]);
    expect(new Set(words("assurance"))).toEqual(new Set(Object.values(ASSURANCE_WORDS)));
    expect(new Set(words("trading"))).toEqual(new Set(Object.values(TRADING_WORDS)));
    expect(coded(/`reason` \((.*?)\)/.exec(protocolSection("Requests"))?.[1])).toEqual([...RESYNC_REASONS]);
  });

  it("name every field of every control message", () => {
    for (const row of protocolRows("Answers and control messages")) {
      const [type] = coded(row[0]);
      const example = SERVER_EXAMPLES.find((message) => message.type === type);
      if (example !== undefined && row.length === 3) {
        const status = ["state", "assurance", "reason", "sinceNs", "trading", "priceExponent", "quantityExponent"];
        const nested = /\[.*\]/.test(row[1] ?? "") || type === "stats";
        const named = [...coded((row[1] ?? "").replace(/\[.*\]/, "")), "type"];
        const all = row[1]?.includes("*status*") && !nested ? [...named, ...status] : named;
        expect(new Set(all), type).toEqual(new Set(Object.keys(example)));
      }
    }
  });

  it("name every channel with its policies, and the default views", () => {
    const rows = protocolRows("Channels and policies");
    expect(rows.map(([cell]) => coded(cell)[0])).toEqual([...CHANNELS]);
    for (const [cell, , policies] of rows) {
      const [channel = ""] = coded(cell);
      expect(coded(policies), channel).toEqual(
        Object.entries(CHANNEL_POLICIES).find(([name]) => name === channel)?.[1] ?? [],
      );
    }
    const views = protocolSection("Views");
    expect(views).toContain(`depths ${VIEW_SETS.depths.join(" ")} and rates ${VIEW_SETS.rates.join(" ")}`);
  });

  it("name every error code, close code and reason", () => {
    const rows = protocolRows("Codes");
    const errors = rows.filter((row) => row.length === 3);
    expect(new Set(errors.flatMap(([cell]) => coded(cell)))).toEqual(new Set(Object.values(ERROR_CODES)));
    for (const code of Object.values(ERROR_CODES)) {
      const row = errors.find(([cell]) => cell === `\`${code}\``);
      expect(row?.[1] === "yes", code).toBe(COUNTED_ERRORS.has(code));
    }
    const others = rows.filter((row) => row.length === 2).flatMap(([cell]) => coded(cell));
    const closes = Object.values(CLOSE_CODES).map(String);
    expect(new Set(others)).toEqual(new Set([...closes, ...Object.values(RESET_REASONS)]));
  });

  it("name limits with their defaults", () => {
    const limits: Readonly<Record<string, number>> = GATEWAY_LIMITS;
    const rows = protocolRows("Limits");
    expect(rows.length).toBeGreaterThan(10);
    for (const [cell, value] of rows) {
      const [name = ""] = coded(cell);
      expect(Number(value), name).toBe(limits[name]);
    }
    const fixed = protocolSection("Limits");
    expect(fixed).toContain(`Fixed: ${CHANNELS_MAX} channels, ${INSTRUMENTS_MAX} instruments or patterns`);
    expect(fixed).toContain(`${INSTRUMENT_LENGTH_MAX} characters of an instrument`);
    expect(fixed).toContain(`at most ${FRAME_BYTES_MAX.toLocaleString("en")} bytes`);
  });

  it("name every kind of frame with its flags", () => {
    expect(protocolRows("Binary form").map(([kind, word, flags]) => [Number(kind), word, flags])).toEqual([
      [FRAME_DELTAS, "deltas", `${FRAME_FLAG_CHECK} check`],
      [FRAME_SNAPSHOT, "snapshot part", `${FRAME_FLAG_FIRST} first · ${FRAME_FLAG_FINAL} final`],
      [FRAME_TRADES, "trades", ""],
      [FRAME_BBO, "bbo", ""],
      [FRAME_CONFLATED, "conflated", ""],
    ]);
  });
});

describe("The examples of PROTOCOL.md", () => {
  it("are those of the schemas", () => {
    const shown = ["Connecting", "Answers and control messages", "JSON form"].flatMap(examples);
    expect(shown).toEqual(SERVER_EXAMPLES);
    expect(examples("Requests")).toEqual(CLIENT_EXAMPLES);
  });

  it("are taken when a client sends them", () => {
    for (const example of CLIENT_EXAMPLES) {
      expect(parseClientMessage(JSON.stringify(example))).toHaveProperty("message");
    }
  });

  it("show golden frames of every kind", () => {
    const rows = protocolRows("Frames of each kind").map(([name, frame]) => [...coded(name), ...coded(frame)]);
    for (const [name, frame] of rows) {
      expect(VECTORS.find((vector) => vector.name === name)?.messages, name).toEqual([frame]);
    }
    const kinds = new Set(rows.map(([, frame]) => Number.parseInt((frame ?? "").slice(0, 2), 16) & 15));
    expect([...kinds].sort()).toEqual([FRAME_DELTAS, FRAME_SNAPSHOT, FRAME_TRADES, FRAME_BBO, FRAME_CONFLATED]);
  });

  it("are golden where they show frames, and add up", () => {
    const text = protocolSection("A worked example");
    const [snapshot = "", delta = ""] = protocolBlocks("A worked example", "").map((block) => block.split("\n")[0]);
    const one = VECTORS.find(({ name }) => name === "snapshot/two levels a side");
    const two = VECTORS.find(({ name }) => name === "deltas/bid changed");
    expect([snapshot, delta]).toEqual([one?.messages[0], two?.messages[0]]);
    for (const block of protocolBlocks("A worked example", "")) {
      const [frame = "", ...lines] = block.trim().split("\n");
      const explained = lines.flatMap((line) => line.split(/\s{2,}/)).map(leadingBytes);
      expect(explained.join("")).toBe(frame);
    }
    const word = (value = 0) => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
    const levels: [number, bigint, bigint][] = [
      [0, 9999n, 1500n],
      [0, 9998n, 20n],
      [1, 10_001n, 700n],
      [1, 10_003n, 31n],
    ];
    const hashes = levels.map((level) => word(levelHash(...level)));
    expect(text).toContain(`${hashes.join(" + ")} = ${word(one?.after?.hash)}`);
    const gained = word(levelHash(0, 9999n, 1n));
    expect(text).toContain(`${word(one?.after?.hash)} − ${hashes[0]} + ${gained} = ${word(two?.after?.hash)}`);
    const stamps = { eventAt: 1_795_371_612_124_456_000n, receivedAt: 1_795_371_612_131_000_000n, sequence: 41n };
    const event = { hash: two?.after?.hash ?? 0, version: 2n, status: 0, stamps };
    const chain = chainNext(one?.after?.chain ?? 0, event);
    expect(chain).toBe(two?.after?.chain);
    expect(text).toContain(`× 0x9E3779B1 + 0x7F4A7C15 = ${word(chain)}`);
  });
});
