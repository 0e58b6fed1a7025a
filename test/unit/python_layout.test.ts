/**
 * What TypeScript writes for the Python package: the layout file and the golden segments. They are compared here, and
 * written with ALPHAPULSE_RENEW=python. Bad case: a layout that moved without them; the failure names the command.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { goldenFiles } from "../support/python_golden.ts";
import { PYTHON_LAYOUT, pythonLayout, RENEW_COMMAND, renewsPythonFiles } from "../support/python_layout.ts";

const GOLDEN = "python/tests/golden";

function kept(path: string): Buffer {
  return readFileSync(join(packageFolder(), path));
}

function renew(path: string, content: string | Uint8Array): void {
  const file = join(packageFolder(), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

describe("the Python layout file", () => {
  it("equals what assembly/layout.ts generates when it was renewed", () => {
    if (renewsPythonFiles()) {
      renew(PYTHON_LAYOUT, pythonLayout());
    }
    expect(kept(PYTHON_LAYOUT).toString("utf8"), `renew it with: ${RENEW_COMMAND}`).toBe(pythonLayout());
  });

  it("names every constant of the layout when it is read line by line", () => {
    const lines = pythonLayout().split("\n");
    expect(lines).toContain("DELTA_BYTES: Final = 256");
    expect(lines).toContain("MAGIC_LOW: Final = 0x48504c41");
    expect(lines).toContain('    2: "synced",');
  });
});

describe.each(["wasm", "twin"] as const)("the golden files of the %s kernel", (kernelName) => {
  it("equal those that the Python package is tested with when nothing drifted", () => {
    const { segments, expectations } = goldenFiles(kernelName);
    if (renewsPythonFiles()) {
      renew(`${GOLDEN}/expectations.json.gz`, gzipSync(expectations, { level: 9 }));
      for (const [name, bytes] of segments) {
        renew(`${GOLDEN}/${name}.seg.gz`, gzipSync(bytes, { level: 9 }));
      }
    }
    const hint = `renew them with: ${RENEW_COMMAND}`;
    expect(gunzipSync(kept(`${GOLDEN}/expectations.json.gz`)).toString("utf8") === expectations, hint).toBe(true);
    for (const [name, bytes] of segments) {
      const isEqual = gunzipSync(kept(`${GOLDEN}/${name}.seg.gz`)).equals(bytes);
      expect(isEqual, `${name}: ${hint}`).toBe(true);
    }
  });
});
