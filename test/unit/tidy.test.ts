/**
 * Style is a test: every rule of test/support/tidy_rules.ts holds for every source file, and every rule is shown a text
 * that keeps it and one that breaks it. Then what concerns other files: machine paths, the lock file, links.
 * Bad case: an offence is reported as `file:line what`, one per line, all of a rule together.
 */
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import {
  isRepositoryFile,
  type Offence,
  parseSource,
  readRepositoryFile,
  repositoryPaths,
  sourceFiles,
} from "../support/source_files.ts";
import { TIDY_RULES } from "../support/tidy_rules.ts";

const SOURCES = sourceFiles();
const TEXT_FILE = /(\.(ts|tsx|mjs|md|json|css|html|py|toml|yml)|LICENSE|\.ci\/run|\.npmrc|\.gitignore)$/;

describe("every source file", () => {
  for (const rule of TIDY_RULES) {
    it(`${rule.name} when it is ours`, () => {
      expect(report(SOURCES.flatMap(rule.check))).toBe("");
    });
  }
});

describe("every rule", () => {
  for (const rule of TIDY_RULES) {
    it(`"${rule.name}" reports one offence when the text breaks it and none when it keeps it`, () => {
      expect(rule.check(parseSource(rule.path, rule.bad))).toHaveLength(1);
      expect(rule.check(parseSource(rule.path, rule.good))).toEqual([]);
    });
  }
});

describe("the repository", () => {
  const texts = repositoryPaths()
    .filter((path) => TEXT_FILE.test(path))
    .map((path) => ({ path, text: readRepositoryFile(path) }));

  it("mentions no folder of somebody's machine when its text files are read", () => {
    expect(report(texts.flatMap(({ path, text }) => matches(path, text, MACHINE_PATH)))).toBe("");
    expect(matches("x", `a\nsee ${"/wo"}rk/main`, MACHINE_PATH)).toEqual([
      { path: "x", line: 2, message: `says "${"/wo"}rk/"` },
    ]);
    expect(matches("x", "https://example.com/artwork/a", MACHINE_PATH)).toEqual([]);
  });

  it("package-lock.json names no registry when it pins by integrity alone", () => {
    const lock = JSON.parse(readRepositoryFile("package-lock.json")) as { packages: Record<string, object> };
    expect(Object.entries(lock.packages).filter(([, entry]) => "resolved" in entry)).toEqual([]);
  });

  it("every relative link of a document leads to a file when followed", () => {
    const documents = texts.filter(({ path }) => path.endsWith(".md"));
    expect(documents.map(({ path }) => path)).toContain("README.md");
    expect(report(documents.flatMap(({ path, text }) => brokenLinks(path, text)))).toBe("");
    expect(brokenLinks("README.md", "a\n[x](absent.md#y) [z](https://example.com) [k](#k) [l](LICENSE)")).toEqual([
      { path: "README.md", line: 2, message: "link to absent.md" },
    ]);
  });
});

const MACHINE_PATH = new RegExp(`(?<![\\w.-])/(${["work", "root", "farm", "home/\\w+"].join("|")})/`, "g");

function matches(path: string, text: string, pattern: RegExp): Offence[] {
  return text
    .split("\n")
    .flatMap((line, index) =>
      [...line.matchAll(pattern)].map((match) => ({ path, line: index + 1, message: `says "${match[0]}"` })),
    );
}

function brokenLinks(path: string, text: string): Offence[] {
  return text.split("\n").flatMap((line, index) =>
    [...line.matchAll(/\]\(([^)\s]+)/g)]
      .map((match) => (match[1] ?? "").replace(/#.*$/, ""))
      .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
      .filter((target) => !isRepositoryFile(posix.join(posix.dirname(path), target)))
      .map((target) => ({ path, line: index + 1, message: `link to ${target}` })),
  );
}

function report(offences: Offence[]): string {
  return offences.map(({ path, line, message }) => `${path}:${line} ${message}`).join("\n");
}
