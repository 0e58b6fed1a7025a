/**
 * A temporary copy of the repository in which one bug at a time is planted and judged: dependencies are linked, dist/ is
 * built there, the suite runs there. Cheap tests come first and the first failure ends a run. A failure counts only when
 * the same test passes without the bug: a test that fails by itself proves nothing. One that failed among many others on
 * a busy machine must fail again alone.
 * Bad case: tests that fail without any bug; they are named once and do not count.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { editedFiles, editsKernel, type Patch, patchedText } from "./patch.ts";
import { type Failure, runProgram, runTests } from "./test_run.ts";

/** What became of a bug. */
export type Judgement = {
  readonly outcome: "killed" | "alive" | "unbuildable";
  /** The test that noticed, or why it could not be built. */
  readonly caughtBy: string;
};

/** Test files to run together. */
type Stage = {
  readonly files: readonly string[];
  readonly timeoutMs: number;
  /** Their workers are loaded from dist/. */
  readonly needsBundles: boolean;
  /** They are the bug's own: few enough that a failure needs no second look. */
  readonly isOwn: boolean;
};

const OWN_TIMEOUT_MS = 120_000;
const CHEAP_TIMEOUT_MS = 300_000;
const REST_TIMEOUT_MS = 1_200_000;
const BUILD_TIMEOUT_MS = 120_000;
/** Folders whose tests run from the sources and the kernel alone, cheap ones first. */
const CHEAP_FOLDERS = ["unit", "property", "differential", "conformance", "captures", "simulation"];
/** Folders whose tests need every bundle of dist/. The models are no part of what is patched. */
const DEAR_FOLDERS = ["emulator", "integration", "browser"];
/** Style is not behaviour. */
const NO_JUDGES = ["test/unit/tidy.test.ts", "test/unit/layers.test.ts"];
const LEFT_OUT = ["node_modules", "dist", ".git", "coverage", ".vite"];

/** One copy of the repository. */
export class Workshop {
  readonly #root: string;
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #note: (text: string) => void;
  /** The tests of a file that fail without any bug. */
  readonly #unsound = new Map<string, ReadonlySet<string>>();
  /** Text of every file that is edited now. */
  readonly #originals = new Map<string, string>();
  readonly #isQuick: boolean;
  #isKernelPlain = true;
  #areBundlesPlain = true;

  /**
   * @param options.captures absolute folder of the captures
   * @param options.isQuick only the bug's own tests are run; what they do not notice is merely suspected to live
   * @param options.note says something to whoever watches
   */
  constructor(root: string, options: { captures: string; isQuick: boolean; note: (text: string) => void }) {
    this.#root = root;
    this.#folder = realpathSync(mkdtempSync(join(tmpdir(), "alphapulse-mutate-")));
    this.#environment = { ALPHAPULSE_CAPTURES: options.captures, CI: "1", NO_COLOR: "1" };
    this.#isQuick = options.isQuick;
    this.#note = options.note;
  }

  /** Copies the repository and builds it. @throws Error when it does not build */
  async open(): Promise<void> {
    cpSync(this.#root, this.#folder, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => this.#isCopied(relative(this.#root, path)),
    });
    const modules = join(this.#folder, "node_modules");
    mkdirSync(modules);
    for (const name of readdirSync(join(this.#root, "node_modules")).filter((entry) => !entry.startsWith(".v"))) {
      symlinkSync(join(this.#root, "node_modules", name), join(modules, name));
    }
    await this.#build("kernel");
    await this.#build("bundles");
    if ((await this.#program("build.config.mjs", ["dashboard"])) !== 0) {
      this.#note("the page does not build: tests that need it fail without any bug");
    }
    copyFileSync(this.#kernel, `${this.#kernel}.plain`);
  }

  /** Removes the copy. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Plants a bug, runs tests until one notices, and takes the bug out again. */
  async judge(bug: Patch): Promise<Judgement> {
    try {
      this.#plant(bug);
      if (editsKernel(bug) && !(await this.#compileKernel())) {
        return { outcome: "unbuildable", caughtBy: "the kernel does not compile" };
      }
      for (const stage of this.#stages(bug)) {
        const caughtBy = await this.#catch(bug, stage);
        if (caughtBy !== undefined) {
          return { outcome: "killed", caughtBy };
        }
      }
      return { outcome: "alive", caughtBy: "" };
    } catch (error) {
      return { outcome: "unbuildable", caughtBy: error instanceof Error ? error.message : String(error) };
    } finally {
      await this.#uproot();
    }
  }

  /** @returns the test that notices and passes without the bug; undefined when none does */
  async #catch(bug: Patch, stage: Stage): Promise<string | undefined> {
    if (stage.needsBundles) {
      await this.#rebuildBundles();
    }
    const { timeoutMs, isOwn } = stage;
    const passed = new Set<string>();
    for (;;) {
      const files = stage.files.filter((file) => !passed.has(file));
      const [first] = files.length === 0 ? [] : await this.#run(files, { timeoutMs, isBrief: true });
      if (first === undefined) {
        return undefined;
      }
      if (first.file === "") {
        return (await this.#withoutBug(bug, files)).length === 0 ? first.test : undefined;
      }
      const { file } = first;
      const unsound = this.#unsound.get(file) ?? new Set((await this.#withoutBug(bug, [file])).map(({ test }) => test));
      if (!this.#unsound.has(file) && unsound.size > 0) {
        this.#note(`${file} fails without any bug: ${[...unsound].join("; ")}`);
      }
      this.#unsound.set(file, unsound);
      const isClear = isOwn && unsound.size === 0;
      const failures = isClear ? [first] : await this.#run([file], { timeoutMs, isBrief: false });
      const noticed = failures.find(({ test }) => !unsound.has(test));
      if (noticed !== undefined) {
        return `${noticed.file}: ${noticed.test}`;
      }
      passed.add(file);
    }
  }

  /** What fails without the bug; it is planted again afterwards. */
  async #withoutBug(bug: Patch, files: readonly string[]): Promise<Failure[]> {
    const wasKernelPlain = this.#isKernelPlain;
    if (!wasKernelPlain) {
      copyFileSync(this.#kernel, `${this.#kernel}.planted`);
    }
    const wereBundlesPlain = this.#areBundlesPlain;
    await this.#uproot();
    const failures = await this.#run(files, { timeoutMs: CHEAP_TIMEOUT_MS, isBrief: false });
    this.#plant(bug);
    if (!wasKernelPlain) {
      copyFileSync(`${this.#kernel}.planted`, this.#kernel);
      this.#isKernelPlain = false;
    }
    if (!wereBundlesPlain) {
      await this.#rebuildBundles();
    }
    return failures;
  }

  #run(files: readonly string[], options: { timeoutMs: number; isBrief: boolean }): Promise<Failure[]> {
    return runTests({ folder: this.#folder, files, ...options, environment: this.#environment });
  }

  #plant(bug: Patch): void {
    for (const file of editedFiles(bug)) {
      const text = readFileSync(join(this.#folder, file), "utf8");
      const patched = patchedText(bug, file, text);
      this.#originals.set(file, text);
      writeFileSync(join(this.#folder, file), patched);
    }
  }

  async #uproot(): Promise<void> {
    for (const [file, text] of this.#originals) {
      writeFileSync(join(this.#folder, file), text);
    }
    this.#originals.clear();
    if (!this.#isKernelPlain) {
      copyFileSync(`${this.#kernel}.plain`, this.#kernel);
      this.#isKernelPlain = true;
    }
    if (!this.#areBundlesPlain) {
      await this.#build("bundles");
      this.#areBundlesPlain = true;
    }
  }

  /** As the build does it, but unoptimised: it behaves the same, and compiling is most of what a bug in the kernel costs. */
  async #compileKernel(): Promise<boolean> {
    this.#isKernelPlain = false;
    const args = ["--config", "asconfig.json", "--baseDir", this.#folder, "--target", "release"];
    args.push("--optimizeLevel", "0", "--outFile", "dist/kernel.wasm");
    return (await this.#program("node_modules/assemblyscript/bin/asc.js", args)) === 0;
  }

  async #rebuildBundles(): Promise<void> {
    this.#areBundlesPlain = false;
    await this.#build("bundles");
  }

  async #build(step: string): Promise<void> {
    if ((await this.#program("build.config.mjs", [step])) !== 0) {
      throw new Error(`Cannot build the copy: step ${step} failed, was ${this.#folder}`);
    }
  }

  #program(program: string, args: readonly string[]): Promise<number | undefined> {
    const options = { folder: this.#folder, args, timeoutMs: BUILD_TIMEOUT_MS, environment: this.#environment };
    return runProgram(program, options);
  }

  #stages(bug: Patch): Stage[] {
    const cheap = CHEAP_FOLDERS.map((name) => this.#tests(name)).filter((files) => files.length > 0);
    const dear = DEAR_FOLDERS.map((name) => this.#tests(name)).filter((files) => files.length > 0);
    return [
      { files: bug.tests, timeoutMs: OWN_TIMEOUT_MS, needsBundles: bug.tests.some(isDear), isOwn: true },
      ...cheap.map((files) => ({ files, timeoutMs: CHEAP_TIMEOUT_MS, needsBundles: false, isOwn: false })),
      ...dear.map((files) => ({ files, timeoutMs: REST_TIMEOUT_MS, needsBundles: true, isOwn: false })),
    ].slice(0, this.#isQuick ? 1 : undefined);
  }

  /** Test files below a folder of test/. */
  #tests(name: string): string[] {
    const folder = join(this.#folder, "test", name);
    const found = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
    return found
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => `test/${name}/${file}`)
      .filter((file) => !NO_JUDGES.includes(file))
      .sort();
  }

  get #kernel(): string {
    return join(this.#folder, "dist/kernel.wasm");
  }

  /** The freshness test would notice every bug: it is not copied. */
  #isCopied(path: string): boolean {
    const [first = "", ...rest] = path.split("/");
    return !LEFT_OUT.includes(first) && !(first === "test" && rest[0] === "mutation" && path.endsWith(".test.ts"));
  }
}

function isDear(file: string): boolean {
  return DEAR_FOLDERS.some((name) => file.startsWith(`test/${name}/`));
}
