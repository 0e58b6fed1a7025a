/**
 * The test ladder as vitest projects: tidy (style and layers) → unit and property → differential → conformance →
 * captures → simulation → integration → model → browser. Each file runs in a forked process of its own, because worker threads, shared
 * memory and the uWebSockets.js addon do not live in vitest's thread pool. At most two at a time: the tests that
 * start workers would starve each other. Bad case: integration tests load workers from dist/, so `npm test` builds first.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { OptionalPartsReporter } from "./test/support/optional_parts_reporter.ts";

const jsonReport = process.env.ALPHAPULSE_TEST_REPORT;
/** Segments of the tests never meet those of a server that runs on this machine. */
const segments = ownSegments();
const TIDY = ["test/unit/tidy.test.ts", "test/unit/layers.test.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    env: { ALPHAPULSE_SEGMENT_DIRECTORY: segments },
    reporters: [
      "default",
      ...(jsonReport === undefined ? [] : [["json", { outputFile: jsonReport }] satisfies ["json", object]]),
      new OptionalPartsReporter(),
    ],
    projects: [
      project("tidy", { include: TIDY, seconds: 60 }),
      project("unit", {
        include: ["test/unit/**", "test/property/**", "test/mutation/**"],
        exclude: TIDY,
        seconds: 20,
      }),
      project("differential", { include: ["test/differential/**"], seconds: 120 }),
      project("conformance", { include: ["test/conformance/**"], seconds: 60 }),
      project("captures", { include: ["test/captures/**"], seconds: 120 }),
      project("simulation", { include: ["test/simulation/**"], seconds: 120 }),
      project("integration", { include: ["test/integration/**", "test/emulator/**"], seconds: 60 }),
      project("model", { include: ["test/model/**"], seconds: 300 }),
      project("browser", { include: ["test/browser/**"], seconds: 120 }),
    ],
  },
});

/** A folder for each project: vitest reads this file once for every one of them. */
function ownSegments(): string {
  const run = globalThis as typeof globalThis & { alphapulseTestSegments?: string[] };
  if (run.alphapulseTestSegments === undefined) {
    const made: string[] = [];
    process.once("exit", () => {
      for (const folder of made) {
        rmSync(folder, { recursive: true, force: true });
      }
    });
    run.alphapulseTestSegments = made;
  }
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-test-segments-"));
  run.alphapulseTestSegments.push(folder);
  return folder;
}

/** A folder `x/**` stands for the test files below it. */
function project(name: string, options: { include: string[]; exclude?: string[]; seconds: number }) {
  const timeout = options.seconds * 1000;
  return {
    extends: true as const,
    test: {
      name,
      include: options.include.map((pattern) => pattern.replace(/\*\*$/, "**/*.test.ts")),
      exclude: options.exclude ?? [],
      testTimeout: timeout,
      hookTimeout: timeout,
    },
  };
}
