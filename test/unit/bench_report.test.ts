/**
 * The command line, the report and README's tables, and that the committed results are what their samples say.
 * Bad case: a verdict edited by hand; it is recomputed here from the samples of both sides.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BENCHES } from "../../bench/benches.ts";
import { recomputeEntry } from "../../bench/goal_entries.ts";
import { GOAL_NAMES, goalParts } from "../../bench/goals.ts";
import { betweenMarkers, renderMarkdown, withTables } from "../../bench/markdown.ts";
import { parseOptions } from "../../bench/options.ts";
import { type ReportFile, reportFile, reportText } from "../../bench/report_text.ts";
import { type BenchReport, exactCase, judge, judgeLimits } from "../../bench/results.ts";
import { packageFolder } from "../../src/assets.ts";

const NAMES = BENCHES.map(({ name }) => name);
const RESULTS = join(packageFolder(), "bench/results/latest.json");

const REPORT: BenchReport = {
  machine: {
    cpu: "CPU",
    cpus: 2,
    memoryMiB: 1,
    platform: "linux",
    node: "v20.0.0",
    v8: "11",
    commit: "abc",
    date: "2026-01-02T03:04:05.000Z",
  },
  command: "npm run bench",
  isSmoke: false,
  rounds: 21,
  kernels: ["wasm", "twin"],
  source: "captures",
  results: [
    exactCase(
      { bench: "wire", name: "Kraken", unit: "bytes/entry", facts: { entries: 3 } },
      { wasm: 10, "exchange JSON": 100, "JSON deflated": 15 },
      [
        { other: "exchange JSON", goal: "P10" },
        { other: "JSON deflated", goal: "P10_DEFLATE" },
      ],
    ),
  ],
  failures: [],
};

describe("the list of benchmarks", () => {
  it("BENCHES holds every bench file once, under a name that can be asked for", () => {
    const files = readdirSync(join(packageFolder(), "bench")).filter((name) => name.endsWith(".bench.ts"));
    expect([...NAMES].sort()).toEqual(files.map((name) => name.replace(".bench.ts", "")).sort());
  });
});

describe("parseOptions", () => {
  it("runs everything for 21 rounds when nothing is said", () => {
    expect(parseOptions([], NAMES)).toMatchObject({ names: NAMES, settings: { rounds: 21, isSmoke: false } });
  });

  it("takes names, --smoke, --json and --markdown with or without a file", () => {
    const parsed = parseOptions(["wire", "--smoke", "--json", "out.json", "--markdown"], NAMES);
    expect(parsed).toMatchObject({ names: ["wire"], json: "out.json", markdown: "-", settings: { isSmoke: true } });
    expect(parseOptions(["--markdown", "out.md", "book"], NAMES)).toMatchObject({
      names: ["book"],
      markdown: "out.md",
    });
    expect(parseOptions(["--markdown", "book"], NAMES)).toMatchObject({ names: ["book"], markdown: "-" });
  });

  it("writes the page of results beside the built program after a run of everything, or where it is told to", () => {
    expect(parseOptions([], NAMES)).toMatchObject({ html: "dist/bench/report.html", from: undefined });
    expect(parseOptions(["--smoke"], NAMES)).toMatchObject({ html: undefined });
    expect(parseOptions(["wire"], NAMES)).toMatchObject({ html: undefined });
    expect(parseOptions(["--from", "a.json", "--html", "b.html"], NAMES)).toMatchObject({
      from: "a.json",
      html: "b.html",
    });
  });

  it("takes the file whose tables are to be renewed", () => {
    expect(parseOptions(["--from", "a.json", "--readme", "README.md"], NAMES)).toMatchObject({ readme: "README.md" });
    expect(parseOptions([], NAMES)).toMatchObject({ readme: undefined });
  });

  it("names what it does not know", () => {
    expect(parseOptions(["wires"], NAMES)).toContain("was wires");
    expect(parseOptions(["--rounds", "0"], NAMES)).toContain("was 0");
    expect(parseOptions(["--kernel", "rust"], NAMES)).toContain("was rust");
    expect(parseOptions(["--fast"], NAMES)).toContain("--fast");
  });
});

describe("renderMarkdown", () => {
  it("shows sides, ratios, verdicts, machine and command", () => {
    const text = renderMarkdown(REPORT);
    expect(text).toContain("2026-01-02, CPU × 2, Node v20.0.0, commit abc; `npm run bench`");
    expect(text).toContain("| Kraken | 10 | 100 | 15 | **10×** P10 goal | **1.50×** P10 goal |");
    expect(text).not.toContain("Smoke");
  });

  it("says that a smoke run is one", () => {
    expect(renderMarkdown({ ...REPORT, isSmoke: true })).toContain("Smoke run, judges nothing.");
  });

  it("gives every benchmark of a run a row in one table", () => {
    const results = NAMES.map((bench) => exactCase({ bench, name: "one", unit: "ns", facts: {} }, { wasm: 1 }, []));
    const halves = results.map((result) =>
      result.bench === "frame" ? { ...result, name: "encode and decode" } : result,
    );
    const rows = renderMarkdown({ ...REPORT, results: halves })
      .split("\n")
      .filter((line) => /^\| (?:[\w]+: )?(?:one|encode and decode) \|/.test(line));
    expect(rows.length).toBe(NAMES.length);
  });

  it("names what was skipped below the tables", () => {
    const notes = ["skipped: C twin (gcc is not there)"];
    const skipped = exactCase({ bench: "ring", name: "writer", unit: "ns", facts: {}, notes }, {}, []);
    expect(renderMarkdown({ ...REPORT, results: [skipped] })).toContain("Skipped: C twin (gcc is not there).");
  });

  it("withTables puts tables between the markers and leaves the rest, and refuses a text without them", () => {
    const text = "a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n";
    const renewed = withTables(text, "x\ny\n");
    expect(renewed).toBe("a\n<!-- bench -->\nx\ny\n<!-- /bench -->\nb\n");
    expect(betweenMarkers(renewed)).toBe("x\ny");
    expect(() => withTables("nothing", "x")).toThrow("it must hold <!-- bench -->");
  });

  it("betweenMarkers finds the tables, and nothing when a marker is missing", () => {
    expect(betweenMarkers("a <!-- bench -->\nx\n<!-- /bench --> b")).toBe("x");
    expect(betweenMarkers("a <!-- bench -->\nx")).toBeUndefined();
    expect(betweenMarkers("nothing")).toBeUndefined();
  });
});

describe("the committed results", () => {
  it("reportText is JSON of the same report, with lists of samples filled to 120 columns", () => {
    const [result] = REPORT.results;
    const samples = Array.from({ length: 40 }, (_, index) => 1000.5 + index);
    const sides = [{ name: "wasm", samples }];
    const report = { ...REPORT, results: result === undefined ? [] : [{ ...result, sides, ratios: [] }] };
    const text = reportText(report);
    const isNumbers = (line: string) => /^[\d\s.,]+$/.test(line);
    const lines = text.split("\n").filter(isNumbers);
    const widths = lines.map((line) => line.length);
    expect(JSON.parse(text)).toEqual(reportFile(report));
    expect(text).toContain('"kernels": ["wasm", "twin"]');
    expect(Math.max(...widths)).toBeLessThanOrEqual(120);
    expect(widths.filter((width) => width > 100).length).toBeGreaterThan(1);
  });

  it("every ratio, limit and verdict of bench/results/latest.json follows from its samples", () => {
    const { results, failures } = committed();
    expect(failures).toEqual([]);
    for (const { bench, name, sides, ratios, limits, rounds, isExact = false } of results) {
      const wishes = ratios.map(({ other, ours, goal }) => ({ other, ours, ...(goal === undefined ? {} : { goal }) }));
      const judged = { rounds: rounds.kept, isExact };
      expect(judge(sides, wishes, judged), `${bench} ${name}`).toEqual(ratios);
      expect(judgeLimits(sides, limits ?? [], judged), `${bench} ${name}`).toEqual(limits ?? []);
    }
  });

  it("every goal has exactly one entry, of which every figure and verdict follows from its own samples", () => {
    const file = committed();
    expect(Object.keys(file).filter((key) => /^P\d+$/.test(key))).toEqual(GOAL_NAMES);
    for (const name of GOAL_NAMES) {
      expect(recomputeEntry(name, file[name]), name).toEqual(file[name]);
    }
  });

  it("the entries of the goals are those of the results, and name every part that nothing measured", () => {
    const { failures, results, ...file } = committed();
    expect(reportFile({ ...file, results, failures })).toEqual({ ...file, results, failures });
    for (const name of GOAL_NAMES) {
      const { cases, missing, verdict } = file[name];
      const measured = new Set(cases.map(({ part }) => part));
      expect([...measured, ...missing].sort()).toEqual([...goalParts(name)].sort());
      expect(verdict === "not run").toBe(cases.length === 0);
    }
  });
});

function committed(): ReportFile {
  expect(existsSync(RESULTS), "bench/results/latest.json must be there: npm run bench -- --json …").toBe(true);
  return JSON.parse(readFileSync(RESULTS, "utf8")) as ReportFile;
}
