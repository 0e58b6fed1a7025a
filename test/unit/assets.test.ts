/**
 * Where built files are looked for. Runs from src/, hence the build must have run. Bad case: a wrong folder here would
 * make every worker and the kernel unfindable once bundled, so the bundle is asked, too.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assetPath, packageFolder, packageVersion, readAsset } from "../../src/assets.ts";

describe("assets", () => {
  it("packageFolder is the folder of package.json when run from src", () => {
    expect(existsSync(join(packageFolder(), "build.config.mjs"))).toBe(true);
  });

  it("packageVersion is a semantic version when read from package.json", () => {
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("readAsset gives a module that imports only the memory when the kernel is built", async () => {
    const module = await WebAssembly.compile(readAsset("kernel.wasm"));
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  it("assetPath names the command that builds when a file is absent", () => {
    expect(() => assetPath("absent.js")).toThrow(
      /^Cannot load absent\.js: not built, run `npm run build`, was .*absent\.js$/,
    );
  });
});
