/**
 * The repository's own source files as text and syntax trees, for the tests that enforce style and layers. TypeScript 7
 * has no in-process JavaScript API, so the parser is the one that vite brings; it reads AssemblyScript as well.
 * Bad case: a file that does not parse throws with its path, for no rule could be judged on it.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";
import { packageFolder } from "../../src/assets.ts";

/** A node of the ESTree syntax tree, with the TypeScript additions. `start` and `end` are offsets in UTF-16 units. */
export type SyntaxNode = { type: string; start: number; end: number; [key: string]: unknown };

/** A comment without its delimiters. */
export type SourceComment = { type: "Line" | "Block"; value: string; start: number; end: number };

/** One source file. */
export type SourceFile = {
  /** Relative to the repository, with forward slashes. */
  path: string;
  text: string;
  program: SyntaxNode;
  comments: SourceComment[];
};

/** Something that breaks a rule, shown as `path:line message`. */
export type Offence = { path: string; line: number; message: string };

const SOURCE_FOLDERS = ["src", "assembly", "bench", "test"];
const IGNORED_FOLDERS = ["node_modules", "dist", ".git", ".vite", "coverage"];
const NODES_BY_TYPE = new WeakMap<SourceFile, Map<string, SyntaxNode[]>>();

/** Every TypeScript file below src, assembly, bench and test, and those in the root folder, sorted by path. */
export function sourceFiles(): SourceFile[] {
  const isSource = (path: string) => /\.(ts|tsx|mts|mjs)$/.test(path) && !path.endsWith(".d.ts");
  const isOurs = (path: string) =>
    !path.includes("/") || SOURCE_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
  return repositoryPaths()
    .filter((path) => isSource(path) && isOurs(path))
    .map((path) => parseSource(path, readRepositoryFile(path)));
}

/**
 * Parses one source text.
 * @param path relative to the repository; its suffix decides the language
 * @throws Error when it does not parse
 */
export function parseSource(path: string, text: string): SourceFile {
  const { program, comments, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) {
    throw new Error(`Cannot parse ${path}: ${error.message}, was ${error.codeframe ?? text.slice(0, 80)}`);
  }
  return { path, text, program: program as unknown as SyntaxNode, comments };
}

/** Every file of the repository that is not built, installed or ignored, relative and sorted. */
export function repositoryPaths(): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(packageFolder(), folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !IGNORED_FOLDERS.includes(entry.name)) {
        visit(path);
      } else if (entry.isFile()) {
        found.push(path);
      }
    }
  };
  visit("");
  return found.sort();
}

/** The text of a file of the repository. @param path relative to the repository */
export function readRepositoryFile(path: string): string {
  return readFileSync(join(packageFolder(), path), "utf8");
}

/** Whether a file stands at a path relative to the repository. */
export function isRepositoryFile(path: string): boolean {
  const absolute = join(packageFolder(), path);
  return existsSync(absolute) && statSync(absolute).isFile();
}

/** Calls `visit` for every node, parents first, with the chain of parents (nearest last). */
export function walk(root: SyntaxNode, visit: (node: SyntaxNode, parents: SyntaxNode[]) => void): void {
  const step = (node: SyntaxNode, parents: SyntaxNode[]) => {
    visit(node, parents);
    const chain = [...parents, node];
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isNode(child)) {
          step(child, chain);
        }
      }
    }
  };
  step(root, []);
}

/** Every node of the given types, type by type. The first call for a file walks it once and keeps the nodes by type. */
export function nodesOf(source: SourceFile, ...types: string[]): SyntaxNode[] {
  const byType = NODES_BY_TYPE.get(source) ?? indexNodes(source);
  NODES_BY_TYPE.set(source, byType);
  return types.flatMap((type) => byType.get(type) ?? []);
}

function indexNodes(source: SourceFile): Map<string, SyntaxNode[]> {
  const byType = new Map<string, SyntaxNode[]>();
  walk(source.program, (node) => {
    const nodes = byType.get(node.type) ?? [];
    byType.set(node.type, nodes);
    nodes.push(node);
  });
  return byType;
}

/** Whether a value is a syntax node. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string";
}

/** A child node by name; undefined when it is absent or no node. */
export function child(node: SyntaxNode | undefined, key: string): SyntaxNode | undefined {
  const value = node?.[key];
  return isNode(value) ? value : undefined;
}

/** The children of a node under a name that holds a list; empty when it is absent. */
export function children(node: SyntaxNode | undefined, key: string): SyntaxNode[] {
  const value = node?.[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The line of an offset, counted from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** An offence at an offset of a source file. */
export function offence(source: SourceFile, offset: number, message: string): Offence {
  return { path: source.path, line: lineAt(source.text, offset), message };
}

/** Every module that a file imports or re-exports, static and dynamic, with its offset. Type imports count as well. */
export function importsOf(source: SourceFile): { specifier: string; offset: number }[] {
  const types = [
    "ImportDeclaration",
    "ExportNamedDeclaration",
    "ExportAllDeclaration",
    "ImportExpression",
    "TSImportType",
  ];
  return nodesOf(source, ...types).flatMap((node) => {
    const literal = child(node, "source") ?? child(node, "argument");
    const specifier = literal?.value ?? child(literal, "literal")?.value;
    return literal !== undefined && typeof specifier === "string" ? [{ specifier, offset: literal.start }] : [];
  });
}
