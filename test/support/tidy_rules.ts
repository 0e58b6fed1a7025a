/**
 * The style of this repository as rules over syntax trees. Each rule carries a text that keeps it and one that breaks
 * it, so that the tidy test can prove that the rule is able to fail. What Biome or the compiler enforce (formatting,
 * import order, unused names, enum, parameter properties) is not repeated here.
 * Bad case: a rule that matters to a reader but stands neither here nor in biome.json is no rule.
 */
import {
  child,
  children,
  importsOf,
  nodesOf,
  type Offence,
  offence,
  type SourceFile,
  type SyntaxNode,
  walk,
} from "./source_files.ts";

/** A rule with its proof. */
export type TidyRule = {
  name: string;
  check: (source: SourceFile) => Offence[];
  /** Where the samples are supposed to stand, e.g. `src/sync/book.ts`. */
  path: string;
  good: string;
  bad: string;
};

/** Longest function and file, in lines. */
export const FUNCTION_LINES_MAX = 70;
export const FILE_LINES_MAX = 400;

/** The layout is read by two compilers that disagree about import suffixes, so it cannot be split into files. */
const UNDIVIDED_FILES = ["assembly/layout.ts"];

const BANNED_WORDS = new Set(
  "data info infos manager managers helper helpers util utils handy ultra enhanced v2 new tmp".split(" "),
);

const COMMENT = "/** What, why, bad case. */\n";

/** Every rule over a source file. */
export const TIDY_RULES: readonly TidyRule[] = [
  {
    name: `a file has at most ${FILE_LINES_MAX} lines`,
    check: longFile,
    path: "src/sync/long.ts",
    good: "\n".repeat(FILE_LINES_MAX),
    bad: `${"\n".repeat(FILE_LINES_MAX)}export {};\n`,
  },
  {
    name: `a function has at most ${FUNCTION_LINES_MAX} lines`,
    check: longFunctions,
    path: "test/unit/long.test.ts",
    good: `describe("x", () => {${"\n".repeat(80)}}); function f() {${"\n".repeat(69)}}`,
    bad: `const f = () => {${"\n".repeat(70)}};`,
  },
  {
    name: "a file opens with a comment that says what, why and the bad case",
    check: openingComment,
    path: "src/sync/x.ts",
    good: `${COMMENT}export {};`,
    bad: `export {};\n${COMMENT}`,
  },
  {
    name: "a file name holds no banned word",
    check: fileNameWords,
    path: "src/sync/book_helper.ts",
    good: "",
    bad: "export {};",
  },
  {
    name: "an exported name holds no banned word",
    check: exportedWords,
    path: "src/sync/x.ts",
    good: "export const metadata = 1, renewal = 2; export function processId() {} export { newest } from 'x';",
    bad: "export const marketData = 1;",
  },
  {
    name: "an exported function does not process things: it says what it does",
    check: processVerb,
    path: "src/sync/x.ts",
    good: "export function processId() {}",
    bad: "export function processFrame() {}",
  },
  {
    name: "an exported symbol has a docstring",
    check: docstrings,
    path: "src/sync/x.ts",
    good: "/** Why. */\nexport function f() {}\nexport * from 'x';\nexport { f as g };",
    bad: `${COMMENT}\nexport function f() {}`,
  },
  {
    name: "there is no default export outside configuration files",
    check: defaultExports,
    path: "src/sync/x.ts",
    good: "export const a = 1;",
    bad: "export default 1;",
  },
  {
    name: "a comment promises no later work",
    check: (source) => comments(source, /\b(TODO|FIXME|XXX|HACK|placeholder|not implemented|for now)\b/i),
    path: "src/sync/x.ts",
    good: "// done\nconst a = 'todo';",
    bad: `// ${"TO"}DO: later`,
  },
  {
    name: "a comment silences no checker",
    check: (source) => comments(source, /@ts-(ignore|nocheck|expect-error)|biome-ignore|eslint-disable/),
    path: "src/sync/x.ts",
    good: "// why",
    bad: `// @ts-${"ignore"}`,
  },
  {
    name: "no test is skipped or singled out, nothing of ours is mocked",
    check: singledOutTests,
    path: "test/unit/x.test.ts",
    good: "it('x', f); it.skipIf(a)('x', f); a.only();",
    bad: "describe.only('x', f);",
  },
  {
    name: "there is no any",
    check: (source) => each(source, nodesOf(source, "TSAnyKeyword"), "any: give it a type, or unknown"),
    path: "src/sync/x.ts",
    good: "const any = a as unknown;",
    bad: "const a = b as any;",
  },
  {
    name: "no catch is empty",
    check: emptyCatches,
    path: "src/sync/x.ts",
    good: "try { a(); } catch { b(); } c.catch(() => d());",
    bad: "c.catch(() => {});",
  },
  {
    name: "a class hides with #, not with keywords",
    check: (source) =>
      each(
        source,
        nodesOf(source, "PropertyDefinition", "MethodDefinition").filter((node) => node.accessibility != null),
        "use #name or nothing instead of public, private, protected",
      ),
    path: "src/sync/x.ts",
    good: "class A { #a = 1; }",
    bad: "class A { private a = 1; }",
  },
  {
    name: "a relative import ends in its suffix, and in assembly it has none",
    check: importSuffixes,
    path: "src/sync/x.ts",
    good: 'import { a } from "./a.ts"; import b from "zod"; import "./a.css";',
    bad: 'import { a } from "./a";',
  },
  {
    name: "only src/assets.ts asks where it stands",
    check: selfLocations,
    path: "src/sync/x.ts",
    good: "export const a = import.meta.env;",
    bad: "export const a = import.meta.url;",
  },
  {
    name: "the kernel makes no objects and asserts by unreachable",
    check: kernelObjects,
    path: "assembly/x.ts",
    good: "let a: i32 = 1; export function f(): i32 { if (a < 0) unreachable(); return a; }",
    bad: "export function f(): usize { return new Book(); }",
  },
];

function longFile(source: SourceFile): Offence[] {
  const lines = source.text.split("\n").length - 1;
  const isLong = lines > FILE_LINES_MAX && !UNDIVIDED_FILES.includes(source.path);
  return isLong ? [{ path: source.path, line: lines, message: `the file has ${lines} lines` }] : [];
}

function longFunctions(source: SourceFile): Offence[] {
  const found: Offence[] = [];
  walk(source.program, (node, parents) => {
    const isFunction = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
    const lines = isFunction ? source.text.slice(node.start, node.end).split("\n").length : 0;
    if (lines > FUNCTION_LINES_MAX && !isSuite(parents.at(-1))) {
      found.push(offence(source, node.start, `the function has ${lines} lines`));
    }
  });
  return found;
}

/** Whether a call is `describe(…)`, `describe.each(…)(…)` or the like: its callback is a list of tests, not a function. */
function isSuite(call: SyntaxNode | undefined): boolean {
  let callee = call?.type === "CallExpression" ? child(call, "callee") : undefined;
  while (callee !== undefined && callee.type !== "Identifier") {
    callee = child(callee, "object") ?? child(callee, "callee");
  }
  return callee?.name === "describe";
}

function openingComment(source: SourceFile): Offence[] {
  const text = source.text.replace(/^#!.*\n/, "").trimStart();
  return text === "" || text.startsWith("/**") ? [] : [offence(source, 0, "open with a comment: what, why, bad case")];
}

function fileNameWords(source: SourceFile): Offence[] {
  const name = source.path.split("/").at(-1) ?? "";
  return source.text === ""
    ? []
    : bannedWords(name, source.path).map((word) => offence(source, 0, `"${word}" in ${name}`));
}

function exportedWords(source: SourceFile): Offence[] {
  return exportedNames(source).flatMap(({ name, start }) =>
    bannedWords(name, source.path).map((word) => offence(source, start, `"${word}" in ${name}`)),
  );
}

/** Kraken calls its own protocol v2, hence that word is free in names and paths that say Kraken. */
function bannedWords(name: string, path: string): string[] {
  const isKraken = /kraken/i.test(`${path} ${name}`);
  return words(name).filter((word) => BANNED_WORDS.has(word) && !(word === "v2" && isKraken));
}

function words(name: string): string[] {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");
  return spaced.toLowerCase().split(/[^a-z0-9]+/);
}

function processVerb(source: SourceFile): Offence[] {
  const isVerb = (name: string) => /^process([A-Z]|$)/.test(name) && !/^processe?(Id|Time|Name|or)/.test(name);
  return exportedNames(source)
    .filter(({ name, kind }) => kind === "FunctionDeclaration" && isVerb(name))
    .map(({ name, start }) => offence(source, start, `"process" says nothing in ${name}`));
}

/** What a file exports under which name; `kind` is the type of the declaring node. */
function exportedNames(source: SourceFile): { name: string; start: number; kind: string }[] {
  return nodesOf(source, "ExportNamedDeclaration").flatMap((node) => {
    const declaration = child(node, "declaration");
    const declared = declaration === undefined ? [] : [declaration, ...children(declaration, "declarations")];
    const ids = [
      ...declared.map((it) => ({ id: child(it, "id"), kind: it.type })),
      ...children(node, "specifiers").map((it) => ({ id: child(it, "exported"), kind: it.type })),
    ];
    return ids.flatMap(({ id, kind }) =>
      id?.type === "Identifier" ? [{ name: String(id.name), start: id.start, kind }] : [],
    );
  });
}

function docstrings(source: SourceFile): Offence[] {
  if (!source.path.startsWith("src/")) {
    return [];
  }
  const [opening] = source.comments;
  const documented = new Set(
    source.comments
      .filter((comment) => comment !== opening || !isFileComment(source))
      .filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
      .map((comment) => comment.end + (/^\s*/.exec(source.text.slice(comment.end))?.[0].length ?? 0)),
  );
  const undocumented = nodesOf(source, "ExportNamedDeclaration").filter((node) => {
    const kind = child(node, "declaration")?.type ?? "";
    return /^(Function|Class|TSInterface)Declaration$/.test(kind) && !documented.has(node.start);
  });
  return each(source, undocumented, "the exported symbol needs a docstring");
}

/** Whether the first comment belongs to the file: a blank line or an import follows, or another comment. */
function isFileComment(source: SourceFile): boolean {
  const after = source.text.slice(source.comments[0]?.end ?? 0);
  return /^\s*\n\s*\n/.test(after) || /^\s*(import|\/\*\*|\/\/)/.test(after);
}

function defaultExports(source: SourceFile): Offence[] {
  const isConfig = /^[a-z]+\.config\.(ts|mjs)$/.test(source.path);
  return isConfig ? [] : each(source, nodesOf(source, "ExportDefaultDeclaration"), "export it by name");
}

function comments(source: SourceFile, pattern: RegExp): Offence[] {
  return source.comments
    .filter((comment) => pattern.test(comment.value))
    .map((comment) => offence(source, comment.start, `comment says "${pattern.exec(comment.value)?.[0]}"`));
}

function singledOutTests(source: SourceFile): Offence[] {
  const forbidden = nodesOf(source, "MemberExpression").filter((node) => {
    const name = `${String(child(node, "object")?.name)}.${String(child(node, "property")?.name)}`;
    return /^((it|test|describe|suite)\.(skip|only|todo|fails)|vi\.(mock|doMock))$/.test(name);
  });
  return each(source, forbidden, "every test runs, on the real thing");
}

function emptyCatches(source: SourceFile): Offence[] {
  const isEmpty = (body: SyntaxNode | undefined) =>
    body?.type === "BlockStatement" && children(body, "body").length === 0;
  const clauses = nodesOf(source, "CatchClause").filter((node) => isEmpty(child(node, "body")));
  const calls = nodesOf(source, "CallExpression").filter(
    (node) =>
      child(child(node, "callee"), "property")?.name === "catch" &&
      children(node, "arguments").some((argument) => isEmpty(child(argument, "body"))),
  );
  return each(source, [...clauses, ...calls], "handle it, count it or let it pass");
}

function importSuffixes(source: SourceFile): Offence[] {
  const isAssembly = source.path.startsWith("assembly/");
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith("."))
    .filter(({ specifier }) => isAssembly === /\.[a-z]+$/.test(specifier))
    .map(({ specifier, offset }) => offence(source, offset, `suffix of ${specifier}`));
}

function selfLocations(source: SourceFile): Offence[] {
  if (!source.path.includes("/") || source.path === "src/assets.ts") {
    return [];
  }
  const located = nodesOf(source, "MemberExpression").filter(
    (node) =>
      child(node, "object")?.type === "MetaProperty" &&
      ["url", "dirname", "filename", "resolve"].includes(String(child(node, "property")?.name)),
  );
  return each(source, located, "ask src/assets.ts");
}

/** Objects, lists and texts would become static data or heap, which every instantiation on the shared memory rewrites. */
function kernelObjects(source: SourceFile): Offence[] {
  if (!source.path.startsWith("assembly/")) {
    return [];
  }
  const objects = nodesOf(source, "NewExpression", "ArrayExpression", "ObjectExpression", "TemplateLiteral");
  const calls = nodesOf(source, "CallExpression").filter((node) => child(node, "callee")?.name === "assert");
  const fences = nodesOf(source, "MemberExpression").filter(
    (node) => child(node, "object")?.name === "atomic" && child(node, "property")?.name === "fence",
  );
  return [
    ...each(source, objects, "the kernel makes no objects"),
    ...each(source, calls, "assert adds an import and static data: use unreachable()"),
    ...each(source, fences, "the compiler drops it"),
  ];
}

function each(source: SourceFile, nodes: SyntaxNode[], message: string): Offence[] {
  return nodes.map((node) => offence(source, node.start, message));
}
