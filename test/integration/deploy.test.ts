/**
 * What stands below deploy/ is judged by the programs that know the formats: hadolint, the Compose specification, systemd,
 * the schemas of Kubernetes; then what no schema knows: sizes, versions, settings that the program would refuse.
 * Bad case: a program that is not installed here; its test skips by name. Custom resources have no schema and are named.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import { assetPath, packageVersion } from "../../src/assets.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { segmentConfig } from "../../src/feed/segment_growth.ts";
import { segmentBytes } from "../../src/segment/writer.ts";
import { deploymentTexts, findJudge, judge, manifestPaths } from "../support/deployment.ts";
import { pythonWithNumpy } from "../support/mapped_fleet.ts";
import { optionalPart } from "../support/require.ts";
import { readRepositoryFile, repositoryPaths } from "../support/source_files.ts";

const MEBIBYTE = 2 ** 20;
const hadolint = findJudge("hadolint");
const checkSchema = findJudge("check-jsonschema");
const validate = findJudge("kubernetes-validate");
const analyze = findJudge("systemd-analyze");
const kubectl = findJudge("kubectl");
const python = pythonWithNumpy();
const folder = mkdtempSync(join(tmpdir(), "alphapulse-deploy-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function segmentSizes(): number[] {
  const config = loadConfig({ environment: {}, flags: {} });
  return selectExchanges(config).map((selected) => segmentBytes(segmentConfig(config, selected)));
}

/** Sizes that a pattern finds in a file, in bytes. */
function sizesIn(path: string, pattern: RegExp): number[] {
  return [...readRepositoryFile(path).matchAll(pattern)].map((match) => Number(match[1]) * MEBIBYTE);
}

describe("Containers", () => {
  it.skipIf(!optionalPart("hadolint", hadolint !== undefined))(
    "Dockerfile is clean when hadolint reads it",
    async () => {
      expect(await judge(hadolint ?? "", ["--no-color", "deploy/docker/Dockerfile"])).toEqual({ status: 0, text: "" });
    },
  );

  it.skipIf(!optionalPart("check-jsonschema", checkSchema !== undefined))(
    "compose.yml follows the Compose specification, and a wrong one does not",
    async () => {
      const words = (path: string) => ["--builtin-schema", "vendor.compose-spec", path];
      expect(await judge(checkSchema ?? "", words("deploy/docker/compose.yml"))).toMatchObject({ status: 0 });
      const wrong = join(folder, "compose.yml");
      writeFileSync(
        wrong,
        readRepositoryFile("deploy/docker/compose.yml").replace("read_only: true", "read_onyl: true"),
      );
      expect((await judge(checkSchema ?? "", words(wrong))).status).toBe(1);
    },
  );

  it("share a volume that holds every segment twice when the defaults are collected", () => {
    const bytes = segmentSizes().reduce((sum, size) => sum + size, 0);
    const [volume = 0] = sizesIn("deploy/docker/compose.yml", /"size=(\d+)m,/g);
    expect(volume).toBeGreaterThanOrEqual(2 * bytes);
  });

  it("run everything that the Dockerfile says in an order that the proof knows", () => {
    const known = [...readRepositoryFile("deploy/docker/prove.mjs").matchAll(/case "([A-Z]+)"/g)].map(
      ([, word]) => word,
    );
    const used = [...readRepositoryFile("deploy/docker/Dockerfile").matchAll(/^([A-Z]+) /gm)].map(([, word]) => word);
    expect(used.filter((word) => word !== "FROM" && !known.includes(word))).toEqual([]);
  });
});

describe.skipIf(!optionalPart("systemd-analyze", analyze !== undefined))("systemd units", () => {
  it("hold when systemd verifies them, and do not when a directive is misspelt", async () => {
    const paths = repositoryPaths().filter((path) => /^deploy\/systemd\/.*\.(service|target)$/.test(path));
    expect(paths).toHaveLength(4);
    // The program need not be installed here.
    const text = (path: string) => readRepositoryFile(path).replaceAll("/usr/local/bin/alphapulse", process.execPath);
    const written = (path: string, change: (text: string) => string) => {
      const copy = join(folder, basename(path));
      writeFileSync(copy, change(text(path)));
      return copy;
    };
    const good = paths.map((path) => written(path, (unit) => unit));
    expect(await judge(analyze ?? "", ["verify", "--man=no", ...good])).toEqual({ status: 0, text: "" });
    const wrong = paths.map((path) => written(path, (unit) => unit.replace("WatchdogSec", "WatchdogSecs")));
    expect((await judge(analyze ?? "", ["verify", "--man=no", ...wrong])).text).toContain("WatchdogSecs");
  });
});

describe("Kubernetes", () => {
  it.skipIf(!optionalPart("kubernetes-validate", validate !== undefined))(
    "takes every manifest of the repository, and none with a field that does not exist",
    async () => {
      const paths = manifestPaths();
      expect(paths.length).toBeGreaterThan(6);
      const { status, text } = await judge(validate ?? "", ["--strict", ...paths]);
      expect(status, text).toBe(0);
      expect(customResources(text)).toEqual(["ServiceMonitor"]);
      console.log(`custom resources SKIPPED: ${customResources(text).join(", ")}`);
      const wrong = join(folder, "wrong.yaml");
      writeFileSync(
        wrong,
        readRepositoryFile("deploy/kubernetes/overlays/cluster/gateways.yaml").replace("maxSkew", "maxSkwe"),
      );
      expect((await judge(validate ?? "", ["--strict", wrong])).status).not.toBe(0);
    },
    120_000,
  );

  for (const overlay of ["single-node", "cluster"]) {
    it.skipIf(kubectl === undefined || validate === undefined)(
      `takes the overlay ${overlay} when kustomize has built it`,
      async () => {
        const built = await judge(kubectl ?? "", ["kustomize", `deploy/kubernetes/overlays/${overlay}`]);
        expect(built.status, built.text).toBe(0);
        expect(built.text).not.toMatch(/image: alphapulse$/m);
        const path = join(folder, `${overlay}.yaml`);
        writeFileSync(path, built.text);
        const { status, text } = await judge(validate ?? "", ["--strict", path]);
        expect(status, text).toBe(0);
      },
      120_000,
    );
  }

  it("has room in memory for every segment twice, in one pod and in those of a cluster", () => {
    const sizes = segmentSizes();
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const pattern = /name: segments\s+emptyDir: \{ medium: Memory, sizeLimit: (\d+)Mi \}/g;
    const single = sizesIn("deploy/kubernetes/overlays/single-node/deployment.yaml", pattern);
    expect(single).toHaveLength(1);
    // Each exchange has a standby with a segment of its own.
    expect(Math.min(...single)).toBeGreaterThanOrEqual(4 * total);
    const cluster = sizesIn("deploy/kubernetes/overlays/cluster/collectors.yaml", pattern);
    expect(cluster).toHaveLength(sizes.length);
    expect(Math.min(...cluster)).toBeGreaterThanOrEqual(2 * Math.max(...sizes));
  });
});

describe("What goes and what takes over", () => {
  it("drains within the time that a pod or a unit is given, and after balancers know", () => {
    const [base] = deploymentTexts().filter(({ path }) => path.endsWith("base/alphapulse.toml"));
    const drainMs = Number(/^drain_ms = (\d+)$/m.exec(base?.text ?? "")?.[1]);
    const gateways = ["single-node/deployment.yaml", "cluster/gateways.yaml"].map((path) =>
      readRepositoryFile(`deploy/kubernetes/overlays/${path}`),
    );
    for (const text of gateways) {
      const graceMs = 1000 * Number(/terminationGracePeriodSeconds: (\d+)/.exec(text)?.[1]);
      const preStopMs = 1000 * Number(/preStop:\s+exec: \{ command: \[\/bin\/sleep, "(\d+)"\] \}/.exec(text)?.[1]);
      expect(preStopMs).toBeGreaterThan(0);
      expect(drainMs).toBeGreaterThan(1000);
      expect(preStopMs + drainMs + 1000).toBeLessThan(graceMs);
    }
    const unit = readRepositoryFile("deploy/systemd/alphapulse-gateway.service");
    const unitDrainMs = Number(/ALPHAPULSE_GATEWAY_DRAIN_MS=(\d+)/.exec(unit)?.[1]);
    expect(unitDrainMs + 1000).toBeLessThan(1000 * Number(/TimeoutStopSec=(\d+)s/.exec(unit)?.[1]));
  });

  it("pairs each collector that shares a machine with a standby that is told the same", () => {
    const pod = readRepositoryFile("deploy/kubernetes/overlays/single-node/deployment.yaml");
    const wordsOf = (name: string) =>
      [...pod.matchAll(/- name: (\w+)-\w+\s+image: alphapulse\s+args: (\[collect.*\])/g)].flatMap(([, role, words]) =>
        role === name ? [words] : [],
      );
    expect(wordsOf("collect")).toHaveLength(3);
    expect(wordsOf("standby")).toEqual(wordsOf("collect"));
    expect(wordsOf("collect").every((words) => words?.includes("--standby"))).toBe(true);
    const commandOf = (name: string) =>
      /^ExecStart=.*$/m.exec(readRepositoryFile(`deploy/systemd/alphapulse-${name}@.service`))?.[0];
    expect(commandOf("standby")).toBe(commandOf("collect"));
    expect(commandOf("collect")).toContain("--standby");
  });
});

describe("Deployment files", () => {
  it("name this version wherever they name one", () => {
    const versions = deploymentTexts().flatMap(({ path, text }) =>
      [...text.matchAll(/(?:alphapulse:|newTag: |\/version: )(\d+\.\d+\.\d+\S*)/g)].map(
        (match) => `${path} ${match[1]}`,
      ),
    );
    expect(versions).toHaveLength(4);
    expect(versions.filter((found) => !found.endsWith(` ${packageVersion()}`))).toEqual([]);
  });

  it("give settings that the program knows, and exchanges that it has", () => {
    const texts = deploymentTexts().map(({ text }) => text);
    const names = new Set(texts.flatMap((text) => text.match(/\bALPHAPULSE_[A-Z_]+\b/g) ?? []));
    const values: Record<string, string> = { ALPHAPULSE_LOG_FORMAT: "json", ALPHAPULSE_GATEWAY_DRAIN_MS: "2000" };
    const environment = Object.fromEntries([...names].map((name) => [name, values[name] ?? "/given"]));
    expect(() => loadConfig({ environment, flags: {} })).not.toThrow();
    const exchanges = texts.flatMap((text) => [...text.matchAll(/--exchange, (\w+)/g)].map((match) => match[1] ?? ""));
    expect(new Set(exchanges)).toEqual(new Set(loadConfig({ environment: {}, flags: {} }).exchange));
  });
});

describe.skipIf(!optionalPart("Python with numpy", python !== undefined) || process.platform !== "linux")(
  "The program",
  () => {
    it("tells a service manager that it is ready and that it ends when one started it", async () => {
      const address = join(folder, "notify");
      const receiver = `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(${JSON.stringify(address)})\nprint("listening", flush=True)\nwhile True: print(s.recv(99).decode(), flush=True)`;
      const manager = spawn(python ?? "", ["-c", receiver], { stdio: ["ignore", "pipe", "inherit"] });
      const heard = createInterface({ input: manager.stdout })[Symbol.asyncIterator]();
      const next = async () => (await heard.next()).value as string;
      expect(await next()).toBe("listening");
      const environment = { PATH: process.env.PATH ?? "", NOTIFY_SOCKET: address };
      const program = spawn(process.execPath, [assetPath("main.js"), "emulate", "--exchange", "kraken"], {
        env: environment,
      });
      const ended = once(program, "exit");
      try {
        expect(await next()).toBe("READY=1");
        program.kill("SIGTERM");
        expect(await next()).toBe("STOPPING=1");
        expect((await ended)[0]).toBe(0);
      } finally {
        program.kill("SIGKILL");
        manager.kill("SIGKILL");
      }
    });
  },
);

function customResources(text: string): string[] {
  return [...new Set([...text.matchAll(/find schema for kind (\w+)/g)].map((match) => match[1] ?? ""))];
}
