/**
 * What leaves the house: the npm package's content, licences of what ships, one version, a changelog that knows it, and a
 * security page whose claims name tests that exist. Bad case: nothing was built; the package is then not whole and that fails.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageFolder, packageVersion } from "../../src/assets.ts";
import { isRepositoryFile, readRepositoryFile } from "../support/source_files.ts";

const ACCEPTED = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "Unlicense"];
const ALLOWED_FILES =
  /^(README|ARCHITECTURE|CHANGELOG|SECURITY)\.md$|^LICENSE$|^package\.json$|^dist\/(\w+\.js(\.map)?|kernel\.wasm)$|^dist\/dashboard\/|^dist\/types\//;
const PACKED_BYTES_MAX = 4_000_000;
const CLAIM = /`(test\/[^`]+\.ts)` › "([^"]+)"/g;

type Packed = { readonly size: number; readonly filename: string };

describe("The npm package", () => {
  let folder = "";
  let files: string[] = [];
  let packed: Packed;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "alphapulse-pack-"));
    const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const told = execFileSync("npm", words, {
      cwd: packageFolder(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    [packed] = JSON.parse(told) as [Packed];
    execFileSync("tar", ["-xzf", packed.filename], { cwd: folder });
    const inside = join(folder, "package");
    const names = readdirSync(inside, { recursive: true, encoding: "utf8" });
    files = names.filter((name) => statSync(join(inside, name)).isFile());
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("holds the bundles, the page and the declarations, and nothing else", () => {
    expect(files.filter((name) => !ALLOWED_FILES.test(name))).toEqual([]);
    const wanted = ["dist/main.js", "dist/kernel.wasm", "dist/dashboard/index.html", "dist/types/src/client/mod.d.ts"];
    expect(files).toEqual(expect.arrayContaining([...wanted, "dist/collector_worker.js", "dist/metrics_worker.js"]));
    const texts = files.filter((name) => /\.(js|json|md|html|ts|map)$/.test(name));
    expect(
      texts.filter((name) => readFileSync(join(folder, "package", name), "utf8").includes(packageFolder())),
    ).toEqual([]);
    expect(packed.size).toBeLessThan(PACKED_BYTES_MAX);
  });

  it("is found right by publint, exports and types included", async () => {
    const { messages, pkg } = await publint({ pkgDir: join(folder, "package"), pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
  });
});

describe("A release", () => {
  it("has one version, and a changelog that begins with it", () => {
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    const [, newest] = /^## (\S+)$/m.exec(readRepositoryFile("CHANGELOG.md")) ?? [];
    expect(newest).toBe(packageVersion());
    const lock = JSON.parse(readRepositoryFile("package-lock.json")) as { version: string };
    expect(lock.version).toBe(packageVersion());
  });

  it("every package that ships has a licence that we accept", () => {
    const lock = JSON.parse(readRepositoryFile("package-lock.json")) as {
      packages: Record<string, { dev?: boolean; license?: string }>;
    };
    const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);
    expect(shipped.length).toBeGreaterThan(10);
    const others = shipped.filter(([, { license }]) => license === undefined || !ACCEPTED.includes(license));
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
  });

  it("has a security page whose every claim names a test that exists", () => {
    const claims = [...readRepositoryFile("SECURITY.md").matchAll(CLAIM)].map(([, path = "", name = ""]) => ({
      path,
      name,
    }));
    expect(claims.length).toBeGreaterThan(25);
    const unproven = claims.filter(
      ({ path, name }) => !isRepositoryFile(path) || !readRepositoryFile(path).includes(name),
    );
    expect(unproven).toEqual([]);
  });

  it("has a security page in which a claim without a test says what cannot be had", () => {
    const items = readRepositoryFile("SECURITY.md")
      .split("\n")
      .filter((line) => line.startsWith("- "));
    const bare = items.filter((line) => line.match(CLAIM) === null);
    const limits = /cannot be found out|trusted as it is|It is Node|asked for in CI|All of them run/;
    expect(bare.filter((line) => !limits.test(line))).toEqual([]);
  });
});
