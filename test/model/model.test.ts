/**
 * Ring, image join and waking as Promela models: every state of the right protocol is searched, and every copy with a
 * seeded bug is found by the property it was planted against. The README says which line of the kernel each step stands
 * for; that those lines still stand there is checked too. Bad case: a machine without spin; the searches are skipped by
 * name, what concerns the texts is not.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { optionalPart } from "../support/require.ts";
import { type ModelFile, PROPERTIES, SEEDED_BUGS, type SeededBug, SIZES, type Size } from "./models.ts";
import { defineWords, isSpinPresent, type Report, readReport, type Search, search, spinVersion } from "./spin.ts";

const FOLDER = join(packageFolder(), "test/model");
const RESULTS = join(FOLDER, "results.json");
const LIMIT_MS = 300_000;
const LONG_LIMIT_MS = 3_600_000;
const MEMORY_MIB_MAX = 900;
const LONG_MEMORY_MIB_MAX = 12_000;

/** `record` writes results.json; `long` also searches the sizes that take more than a test should. */
const asked = (process.env.ALPHAPULSE_MODEL ?? "").split(",");
const isRecording = asked.includes("record");
const sizes = SIZES.filter((size) => size.isLong !== true || asked.includes("long"));

/** One line of results.json. */
type Row = { name: string; command: string; violated?: string; states: number; transitions: number; depth: number };
type SizeRow = Row & { seconds: number; memoryMiB: number };
type Results = {
  what: string;
  date: string;
  commit: string;
  command: string;
  spin: string;
  cpu: string;
  sizes: SizeRow[];
  bugs: Row[];
};

const runs = new Map<string, Promise<Report>>();

function once(name: string, options: Search): Promise<Report> {
  const run = runs.get(name) ?? search(options);
  runs.set(name, run);
  return run;
}

function verify(size: Size): Promise<Report> {
  const memoryMiBMax = size.isLong === true ? LONG_MEMORY_MIB_MAX : MEMORY_MIB_MAX;
  return once(size.name, { model: join(FOLDER, size.model), defines: size.defines, until: "all", memoryMiBMax });
}

function hunt(seeded: SeededBug): Promise<Report> {
  const defines = { ...seeded.defines, [`BUG_${seeded.bug}`]: 1 };
  return once(nameOf(seeded), {
    model: join(FOLDER, seeded.model),
    defines,
    until: "first",
    memoryMiBMax: MEMORY_MIB_MAX,
  });
}

function nameOf({ model, bug }: SeededBug): string {
  return `${model} ${bug}`;
}

describe.skipIf(!optionalPart("spin", isSpinPresent()))("Promela models", () => {
  for (const size of sizes) {
    it.concurrent(
      `${size.name} holds when every state is searched`,
      async () => {
        const report = await verify(size);
        expect({ violated: report.violated, errors: report.errors }).toEqual({ violated: undefined, errors: 0 });
        expect(report.isComplete, "the search was cut short").toBe(true);
        expect(report.unreached, "steps that were never taken").toEqual(size.unreached ?? []);
      },
      size.isLong === true ? LONG_LIMIT_MS : LIMIT_MS,
    );
  }

  for (const seeded of SEEDED_BUGS) {
    it.concurrent(
      `${seeded.model} breaks "${seeded.violates}" when ${seeded.bug} is seeded`,
      async () => {
        expect((await hunt(seeded)).violated).toContain(PROPERTIES[seeded.violates]);
      },
      LIMIT_MS,
    );
  }

  it(
    "results.json states what the searches found when spin is of the same version",
    async () => {
      if (isRecording) {
        writeFileSync(RESULTS, `${JSON.stringify(await results(), undefined, 2)}\n`);
      }
      const recorded = readResults();
      if (recorded.spin === spinVersion()) {
        const found = await results();
        const isSearched = ({ name }: Row) => sizes.some((size) => size.name === name);
        expect(recorded.sizes.filter(isSearched).map(counts)).toEqual(found.sizes.filter(isSearched).map(counts));
        expect(recorded.bugs).toEqual(found.bugs);
      }
    },
    LONG_LIMIT_MS,
  );

  afterAll(() => runs.clear());
});

function counts({ name, command, states, transitions, depth }: Row): Row {
  return { name, command, states, transitions, depth };
}

/** What was found now, with long sizes that were not searched as they were recorded. */
async function results(): Promise<Results> {
  const before = existsSync(RESULTS)
    ? readResults().sizes.filter(({ name }) => SIZES.some((it) => it.name === name))
    : [];
  const searched = await Promise.all(sizes.map(async (size) => sizeRow(size, await verify(size))));
  const kept = before.filter(({ name }) => !searched.some((row) => row.name === name));
  return {
    what: "Promela models of ring, image join and waking: every state searched without error; every seeded bug found",
    date: new Date().toISOString(),
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: FOLDER, encoding: "utf8" }).trim(),
    command: `ALPHAPULSE_MODEL=${asked.join(",")} npx vitest run --project model`,
    spin: spinVersion(),
    cpu: cpus()[0]?.model ?? "unknown",
    sizes: [...searched, ...kept],
    bugs: await Promise.all(SEEDED_BUGS.map(async (seeded) => bugRow(seeded, await hunt(seeded)))),
  };
}

function sizeRow(size: Size, report: Report): SizeRow {
  const { states, transitions, depth, seconds, memoryMiB } = report;
  return { name: size.name, command: commandOf(size), states, transitions, depth, seconds, memoryMiB };
}

function bugRow(seeded: SeededBug, { violated, states, transitions, depth }: Report): Row {
  const command = commandOf({ model: seeded.model, defines: { ...seeded.defines, [`BUG_${seeded.bug}`]: 1 } });
  return { name: nameOf(seeded), command, ...(violated === undefined ? {} : { violated }), states, transitions, depth };
}

function commandOf({ model, defines }: { model: ModelFile; defines: Size["defines"] }): string {
  return ["spin -a", ...defineWords(defines), model].join(" ");
}

function readResults(): Results {
  return JSON.parse(readFileSync(RESULTS, "utf8")) as Results;
}

describe("the texts of the models", () => {
  const models = [...new Set(SIZES.map((size) => size.model))];
  const readme = readFileSync(join(FOLDER, "README.md"), "utf8");

  it("every BUG_ of a model is hunted when the models are read", () => {
    const standing = models.flatMap((model) => {
      const text = readFileSync(join(FOLDER, model), "utf8") + readFileSync(join(FOLDER, "tso.pml"), "utf8");
      return [...new Set([...text.matchAll(/BUG_([A-Z_]+)/g)].map(([, bug]) => `${model} ${bug}`))];
    });
    expect(standing.sort()).toEqual(SEEDED_BUGS.map(nameOf).sort());
  });

  it("every step of the README stands in the model and its line in the code when both are read", () => {
    const rows = [...readme.matchAll(/^\| `(\w+\.pml)` `(\w+)` \| `([\w/.]+)` \| `([^`]+)` \|/gm)];
    expect(rows.length).toBeGreaterThan(20);
    const missing = rows.filter(([, model, step, file, line]) => {
      const isStep = new RegExp(`\\b${step}\\b`).test(readFileSync(join(FOLDER, model ?? ""), "utf8"));
      return !isStep || !bare(readFileSync(join(packageFolder(), file ?? ""), "utf8")).includes(bare(line ?? ""));
    });
    expect(missing.map(([row]) => row)).toEqual([]);
  });

  it("the README names every bug, and every size with its states, when it is read", () => {
    const bugs = SEEDED_BUGS.map(({ bug }) => `\`BUG_${bug}\``);
    const rows = readResults().sizes.map(({ name, states }) => `| ${name} | ${states.toLocaleString("en")} |`);
    expect(rows).toHaveLength(SIZES.length);
    expect([...bugs, ...rows].filter((text) => !readme.includes(text))).toEqual([]);
  });

  it("readReport tells a search that was cut short when the verifier says so", () => {
    const report = readReport(CUT_SHORT);
    expect(report).toMatchObject({ errors: 0, isComplete: false, states: 1.2e8, depth: 99, unreached: ["reader"] });
    expect(readReport(CUT_SHORT.replace("Warning: Search not completed", "")).isComplete).toBe(true);
    expect(() => readReport("")).toThrow("Cannot read the verifier's report");
  });
});

/** Code without what a formatter may change. */
function bare(code: string): string {
  return code.replaceAll(/\s+/g, "").replaceAll(/,(?=[)\]}])/g, "");
}

const CUT_SHORT = `
Warning: Search not completed
State-vector 88 byte, depth reached 99, errors: 0
  1.2e+08 states, stored
  2.5e+08 transitions (= stored+matched)
  451.309	total actual memory usage
unreached in proctype storeBuffer
	tso.pml:73, state 22, "-end-"
	(1 of 22 states)
unreached in proctype producer
	(0 of 80 states)
unreached in proctype reader
	ring.pml:73, state 22, "skip"
	(1 of 22 states)
unreached in init
	(0 of 13 states)
`;
