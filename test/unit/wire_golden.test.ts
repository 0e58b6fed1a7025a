/**
 * The golden vectors: both kernels make exactly the committed file, and both kernels, as clients, pass it.
 * Bad case: an encoder whose bytes changed; the failure names the first vector that differs and how to renew.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { dissectFrame } from "../../src/wire/dissect.ts";
import { faultOf } from "../../src/wire/server_schemas.ts";
import { freshKernel } from "../support/rig.ts";
import { makeVectors, RENEW_COMMAND, readVectors, VECTORS_FILE, vectorsText } from "../support/stream_golden/mod.ts";
import { playOnKernel } from "../support/stream_golden/play_kernel.ts";
import { bytesOf } from "../support/stream_golden/writer.ts";

const FILE = join(packageFolder(), VECTORS_FILE);
const BYTES_MAX = 1_000_000;
const KERNELS: readonly KernelName[] = ["wasm", "twin"];

beforeAll(() => {
  if (process.env.ALPHAPULSE_RENEW === "golden") {
    mkdirSync(dirname(FILE), { recursive: true });
    writeFileSync(FILE, vectorsText(makeVectors(freshKernel("wasm").kernel)));
  }
});

describe("The golden vectors", () => {
  it.each(KERNELS)("are what the %s kernel makes, byte for byte", (name) => {
    const kept = readFileSync(FILE, "utf8").split("\n");
    const made = vectorsText(makeVectors(freshKernel(name).kernel)).split("\n");
    for (const [index, line] of made.entries()) {
      expect(line, `vector ${index}; renew with: ${RENEW_COMMAND}`).toBe(kept[index]);
    }
    expect(kept).toHaveLength(made.length);
  });

  it("are many, small, and of every kind and outcome", () => {
    const text = readFileSync(FILE, "utf8");
    const vectors = readVectors(text);
    expect(text.length).toBeLessThan(BYTES_MAX);
    expect(vectors.length).toBeGreaterThanOrEqual(200);
    const kinds = new Set(vectors.filter(({ form }) => form === "binary").map(({ messages }) => kindOf(messages[0])));
    expect([...kinds].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const outcomes = new Set(vectors.map(({ outcome }) => outcome ?? "applied"));
    expect([...outcomes].sort()).toEqual([
      "applied",
      "chain",
      "exponents",
      "hash",
      "inconsistent",
      "malformed",
      "skipped",
    ]);
  });

  it("are taken apart to the last byte by who was written from the grammar", () => {
    const vectors = readVectors(readFileSync(FILE, "utf8")).filter(({ form, after }) => form === "binary" && after);
    for (const { name, messages } of vectors) {
      for (const message of messages) {
        const frame = Uint8Array.from(bytesOf(message));
        const fields = dissectFrame(frame) ?? [];
        expect(
          fields.reduce((end, { bytes }) => end + bytes, 0),
          name,
        ).toBe(frame.length);
      }
    }
    const conflated = vectors.find(({ name }) => name === "conflated/both sides");
    const names = dissectFrame(Uint8Array.from(bytesOf(conflated?.messages[0] ?? "")))?.map((field) => field.name);
    expect(names?.slice(2, 11)).toEqual([
      ...["from", "span", "hash", "chain", "snapshotStatus", "eventAt", "receivedAt", "sequence", "changes"],
    ]);
  });

  it("hold JSON texts that the schemas take, unless they are to be refused as malformed", () => {
    for (const { name, form, messages, outcome } of readVectors(readFileSync(FILE, "utf8"))) {
      for (const message of form === "json" && outcome !== "malformed" ? messages : []) {
        expect(faultOf(message), name).toBeUndefined();
      }
    }
  });

  it.each(KERNELS)("are passed by the %s kernel as a client", (name) => {
    const kernel: Kernel = freshKernel(name).kernel;
    for (const vector of readVectors(readFileSync(FILE, "utf8")).filter(({ form }) => form === "binary")) {
      playOnKernel(kernel, vector);
    }
  });
});

function kindOf(frame = "00"): number {
  return Number.parseInt(frame.slice(0, 2), 16) & 15;
}
