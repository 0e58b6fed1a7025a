/**
 * Builds a program with one bug planted, without touching the repository: edits are made to sources while they are
 * loaded, and the kernel is compiled anew when the bug is in it. The folder becomes a small package of its own (its
 * package.json, links to the dependencies and to the rest of dist/), so that the program finds its kernel as usual.
 * Bad case: a bug whose text is gone from its file; the build fails and says which.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild";
import { packageFolder } from "../../src/assets.ts";
import { editedFiles, editsKernel, type Patch, patchedText } from "./patch.ts";

const KERNEL = "kernel.wasm";

/**
 * Builds one program with a bug planted.
 * @param options.entry source of the program, relative to the repository, e.g. `test/simulation/main.ts`
 * @param options.folder where it is built; made when it is not there
 * @returns absolute path of the bundle, to be run with Node
 * @throws Error when an edit does not fit its file, or something does not compile
 */
export async function buildPatched(options: { bug: Patch; entry: string; folder: string }): Promise<string> {
  const { bug, entry, folder } = options;
  const root = packageFolder();
  preparePackage(root, folder);
  if (editsKernel(bug)) {
    await compileKernel(bug, { root, output: join(folder, "dist", KERNEL) });
  } else if (!existsSync(join(folder, "dist", KERNEL))) {
    symlinkSync(join(root, "dist", KERNEL), join(folder, "dist", KERNEL));
  }
  const met = new Set<string>();
  const { build } = await import("esbuild");
  const outfile = join(folder, "dist", basename(dirname(entry)), `${basename(entry, ".ts")}.js`);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "warning",
    plugins: [patchOnLoad(bug, { root, met })],
  });
  const unmet = editedFiles(bug).filter((file) => !file.startsWith("assembly/") && !met.has(file));
  if (unmet.length === editedFiles(bug).length) {
    throw new Error(`Cannot plant ${bug.name} in ${entry}: it uses none of the edited files, was ${unmet.join(", ")}`);
  }
  return outfile;
}

/** A package of the same name with the same dependencies: imports and `packageFolder` work in it. */
function preparePackage(root: string, folder: string): void {
  mkdirSync(join(folder, "dist"), { recursive: true });
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  linkOnce(join(root, "node_modules"), join(folder, "node_modules"));
  for (const name of readdirSync(join(root, "dist"))) {
    const isOwn = name === KERNEL || name === "simulation" || name === "mutation" || name.startsWith(".");
    if (!isOwn) {
      linkOnce(join(root, "dist", name), join(folder, "dist", name));
    }
  }
}

function linkOnce(target: string, path: string): void {
  if (!existsSync(path)) {
    symlinkSync(target, path);
  }
}

function patchOnLoad(bug: Patch, { root, met }: { root: string; met: Set<string> }): Plugin {
  const files = new Set(editedFiles(bug));
  return {
    name: "patch-on-load",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = relative(root, path);
        if (!files.has(file)) {
          return undefined;
        }
        met.add(file);
        return { contents: patchedText(bug, file, readFileSync(path, "utf8")), loader: "ts" };
      });
    },
  };
}

/** As the build does it, but for the last inlining pass, which only makes the kernel faster. */
async function compileKernel(bug: Patch, { root, output }: { root: string; output: string }): Promise<void> {
  const asc = await import("assemblyscript/asc");
  const files = new Set(editedFiles(bug));
  const read = (name: string, baseDir: string): string | null => {
    const path = join(baseDir, name);
    if (!existsSync(path)) {
      return null;
    }
    const text = readFileSync(path, "utf8");
    const file = relative(root, path);
    return files.has(file) ? patchedText(bug, file, text) : text;
  };
  const args = ["--config", "asconfig.json", "--baseDir", root, "--target", "release", "--outFile", KERNEL];
  const { error, stderr } = await asc.main(args, {
    readFile: read,
    writeFile: (name, contents) => {
      if (name.endsWith(KERNEL)) {
        writeFileSync(output, contents);
      }
    },
  });
  if (error !== null) {
    throw new Error(`Cannot compile the kernel with ${bug.name}: ${error.message}\n${stderr.toString()}`);
  }
}
