/**
 * The types of what the package exports, as somebody else's program sees them: compiled strictly against the built
 * declarations, with the resolution of Node and of bundlers.
 * Bad case: a declaration that names a file which is not shipped; the compiler says so.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const PROGRAM = `
import { connect } from "alphapulse/client";
import { connectWorker } from "alphapulse/client/worker";
import { useOrderBook } from "alphapulse/react";
import { RestClient, RestError } from "alphapulse/rest";
import { openSegment } from "alphapulse/segment";

const book = connect("ws://127.0.0.1:8765/ws").book("kraken:BTC-USD", { depth: 10 });
export const state: string = book.state;
export const price: string | undefined = book.bbo.bid?.[0];
const client = new RestClient({ url: "http://127.0.0.1:8765/", fetch });
export const bids = client.ask("getOrderBook", { exchange: "kraken", symbol: "BTC-USD", depth: 10 }).then((answer) => answer.bids);
export { RestError, connectWorker, openSegment, useOrderBook };
`;

/** What the compiler says of a program; empty = nothing. */
function complaints(text: string, flags: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-test-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules/alphapulse"));
  writeFileSync(join(folder, "program.ts"), text);
  const common = ["--ignoreConfig", "--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom"];
  try {
    execFileSync(resolve("node_modules/.bin/tsc"), [...common, ...flags, "program.ts"], { cwd: folder, stdio: "pipe" });
    return "";
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("The declarations", () => {
  it.each([
    ["Node", ["--module", "nodenext"]],
    ["a bundler", ["--module", "esnext", "--moduleResolution", "bundler"]],
  ])("type a program when it is resolved as by %s", (_, flags) => {
    expect(complaints(PROGRAM, flags)).toBe("");
  });

  it("tell when a program takes a state for a number", () => {
    const wrong = PROGRAM.replace("state: string", "state: number");
    expect(complaints(wrong, ["--module", "nodenext"])).toContain("TS2322");
  });
});
