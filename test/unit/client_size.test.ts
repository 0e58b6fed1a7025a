/**
 * The client library as it is served: small, self-contained, for any runtime. Bad case: an import that drags the kernel's
 * twin or a schema library in; the size shows it.
 */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const LIMIT_BYTES = 12 * 1024;

async function bundle(entry: string) {
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    write: false,
    metafile: true,
  });
  const [output] = Object.values(built.metafile.outputs);
  return { bytes: built.outputFiles[0]?.contents ?? new Uint8Array(), imports: output?.imports ?? [] };
}

describe("The client library", () => {
  it("is at most 12 KB when it is minified and compressed, and imports nothing", async () => {
    const { bytes, imports } = await bundle("src/client/mod.ts");
    expect(imports).toEqual([]);
    expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(LIMIT_BYTES);
    expect(bytes.length).toBeGreaterThan(10_000);
  });

  it.each(["src/client/worker.ts", "src/client/worker_script.ts"])(
    "is at most 12 KB in a worker, too: %s",
    async (entry) => {
      const { bytes, imports } = await bundle(entry);
      expect(imports).toEqual([]);
      expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(LIMIT_BYTES);
    },
  );
});
