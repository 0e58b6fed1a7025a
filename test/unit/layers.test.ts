/**
 * Imports point down: every import of every file under src is resolved and judged by the layer table; portable parts
 * use nothing that only Node has, pure parts hold no clock, timer, randomness or socket. Each rule is also shown a text
 * that breaks it. Bad case: an import of something outside src would escape the table, so it is an offence itself.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { biomeOverrides, forbiddenGlobals, MAY_IMPORT, PORTABLE_PARTS, PURE_PARTS, partOf } from "../support/layers.ts";
import {
  child,
  children,
  importsOf,
  nodesOf,
  type Offence,
  offence,
  parseSource,
  readRepositoryFile,
  type SourceFile,
  type SyntaxNode,
  sourceFiles,
  walk,
} from "../support/source_files.ts";

const SOURCES = sourceFiles().filter((source) => partOf(source.path) !== undefined);

describe("layers", () => {
  it("every import points down when judged by the table", () => {
    expect(report(SOURCES.flatMap(importOffences))).toBe("");
  });

  it("portable parts import no Node module and use no Node global when they must run in browsers", () => {
    expect(report(SOURCES.flatMap(portableOffences))).toBe("");
  });

  it("pure parts take time and randomness as arguments when they need them", () => {
    expect(report(SOURCES.flatMap(clockOffences))).toBe("");
  });

  it("the client reaches no Node module when its imports are followed to the end", () => {
    const reached = reachableFrom(SOURCES.filter((source) => partOf(source.path) === "client"));
    const offences = reached.flatMap((source) =>
      importsOf(source)
        .filter(({ specifier }) => specifier.startsWith("node:"))
        .map(({ specifier, offset }) => offence(source, offset, `${specifier} is reached from the client`)),
    );
    expect(report(offences)).toBe("");
  });

  it("biome.json forbids the same when its overrides are compared with the table", () => {
    const biome = JSON.parse(readRepositoryFile("biome.json")) as { overrides: object[] };
    expect(biome.overrides).toEqual(expect.arrayContaining(biomeOverrides()));
  });
});

describe("Biome", () => {
  it("refuses the imports that the table forbids and only those when it lints by biome.json", () => {
    const texts = {
      "src/wire/up.ts": 'export { a } from "../feed/mod.ts";',
      "src/kernel/twin/node.ts": 'export { a } from "node:fs";',
      "src/model/kernel.ts": 'export { a } from "../../assembly/index.ts";',
      "src/wire/down.ts": 'export { a } from "../model/mod.ts";',
      "src/model/layout.ts": 'export { a } from "../../assembly/layout.ts";',
    };
    expect(restrictedImports(texts)).toEqual(["src/kernel/twin/node.ts", "src/model/kernel.ts", "src/wire/up.ts"]);
  });
});

describe("the layer rules", () => {
  const importing = (path: string, specifier: string) =>
    importOffences(parseSource(path, `import { a } from "${specifier}";`)).length;

  it("an import is detected when it points up or sideways", () => {
    expect(importing("src/feed/x.ts", "../gateway/mod.ts")).toBe(1);
    expect(importing("src/gateway/x.ts", "../feed/mod.ts")).toBe(1);
    expect(importing("src/emulator/x.ts", "../kernel/kernel.ts")).toBe(1);
    expect(importing("src/kernel/twin/x.ts", "../../wire/mod.ts")).toBe(1);
    expect(importing("src/wire/x.ts", "../main.ts")).toBe(1);
    expect(importing("src/model/x.ts", "../../assembly/index.ts")).toBe(1);
    expect(importing("src/dashboard/x.tsx", "../../test/support/layers.ts")).toBe(1);
  });

  it("an import is detected when it is written as type, dynamic import or re-export", () => {
    const texts = [
      'import type { A } from "../gateway/mod.ts";',
      'const a = await import("../gateway/mod.ts");',
      'export * from "../gateway/mod.ts";',
      'export { a } from "../gateway/mod.ts";',
      'type A = import("../gateway/mod.ts").A;',
    ];
    expect(texts.map((text) => importOffences(parseSource("src/feed/x.ts", text)).length)).toEqual([1, 1, 1, 1, 1]);
  });

  it("a part is detected when the table does not know it", () => {
    expect(importOffences(parseSource("src/unheard/x.ts", "export {};"))).toHaveLength(1);
  });

  it("a Node module or global is detected when a portable part uses it", () => {
    expect(portableOffences(parseSource("src/wire/x.ts", 'import { a } from "node:fs";'))).toHaveLength(1);
    expect(portableOffences(parseSource("src/client/x.ts", "export const a = Buffer.from([]);"))).toHaveLength(1);
    expect(portableOffences(parseSource("src/client/x.ts", "export const a = b.process;"))).toHaveLength(0);
    expect(portableOffences(parseSource("src/sync/x.ts", "export const a = () => setTimeout(b, 1);"))).toHaveLength(1);
  });

  it("a clock or randomness is detected when a pure part reads it", () => {
    const text = "export const a = [Date.now(), new Date(), Math.random(), Date.parse(text), new Date(text)];";
    expect(clockOffences(parseSource("src/sync/x.ts", text))).toHaveLength(3);
    expect(clockOffences(parseSource("src/feed/x.ts", text))).toHaveLength(0);
  });
});

/** The paths that Biome's rule refuses, when texts stand at paths beside our biome.json in a folder of their own. */
function restrictedImports(texts: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-layers-"));
  try {
    cpSync(join(packageFolder(), "biome.json"), join(folder, "biome.json"));
    for (const [path, text] of Object.entries(texts)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const biome = join(packageFolder(), "node_modules/.bin/biome");
    const { stdout } = spawnSync(biome, ["lint", "--reporter=github"], { cwd: folder, encoding: "utf8" });
    const refused = stdout.split("\n").filter((line) => line.includes("noRestrictedImports"));
    return refused.map((line) => /src\/[^,]+/.exec(line)?.[0] ?? line).sort();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function importOffences(source: SourceFile): Offence[] {
  const part = partOf(source.path) ?? "";
  const allowed = MAY_IMPORT[part];
  if (allowed === undefined) {
    return [offence(source, 0, `"${part}" has no layer: add it to test/support/layers.ts`)];
  }
  return importsOf(source).flatMap(({ specifier, offset }) => {
    if (!specifier.startsWith(".")) {
      return [];
    }
    const target = resolvePath(source.path, specifier);
    const targetPart = partOf(target);
    if (targetPart !== undefined && (targetPart === part || allowed.includes(targetPart))) {
      return [];
    }
    return [offence(source, offset, `${part} may not import ${target}, only ${allowed.join(", ")}`)];
  });
}

function portableOffences(source: SourceFile): Offence[] {
  const part = partOf(source.path) ?? "";
  const nodeImports = PORTABLE_PARTS.includes(part)
    ? importsOf(source).filter(({ specifier }) => specifier.startsWith("node:"))
    : [];
  return [
    ...nodeImports.map(({ specifier, offset }) => offence(source, offset, `${part} may not import ${specifier}`)),
    ...globalsUsed(source, forbiddenGlobals(part)).map((node) =>
      offence(source, node.start, `${part} may not use the global ${String(node.name)}`),
    ),
  ];
}

/** Identifiers with one of the names that are read as variables, not as property names or keys. */
function globalsUsed(source: SourceFile, names: string[]): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  walk(source.program, (node, parents) => {
    const parent = parents.at(-1);
    const isKey = parent?.computed !== true && (parent?.property === node || parent?.key === node);
    const isType = parent?.type.startsWith("TS") === true;
    if (node.type === "Identifier" && names.includes(String(node.name)) && !isKey && !isType) {
      found.push(node);
    }
  });
  return found;
}

function clockOffences(source: SourceFile): Offence[] {
  const part = partOf(source.path) ?? "";
  if (!PURE_PARTS.includes(part)) {
    return [];
  }
  const members = nodesOf(source, "MemberExpression").filter((node) => {
    const name = `${String(child(node, "object")?.name)}.${String(child(node, "property")?.name)}`;
    return name === "Date.now" || name === "Math.random";
  });
  const dates = nodesOf(source, "NewExpression").filter(
    (node) => child(node, "callee")?.name === "Date" && children(node, "arguments").length === 0,
  );
  return [...members, ...dates].map((node) => offence(source, node.start, `${part} may not read clock or randomness`));
}

/** The files that are loaded at run time with the given ones; type-only imports vanish and do not count. */
function reachableFrom(start: SourceFile[]): SourceFile[] {
  const byPath = new Map(SOURCES.map((source) => [source.path, source]));
  const reached = new Set(start);
  for (const source of reached) {
    const typeOnly = nodesOf(source, "ImportDeclaration", "ExportNamedDeclaration")
      .filter((node) => node.importKind === "type" || node.exportKind === "type")
      .map((node) => child(node, "source")?.start);
    for (const { specifier, offset } of importsOf(source)) {
      const target = byPath.get(resolvePath(source.path, specifier));
      if (target !== undefined && !typeOnly.includes(offset)) {
        reached.add(target);
      }
    }
  }
  return [...reached];
}

function resolvePath(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function report(offences: Offence[]): string {
  return offences.map(({ path, line, message }) => `${path}:${line} ${message}`).join("\n");
}
