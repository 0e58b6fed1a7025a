/**
 * A real Prometheus for a test: a process of its own with a folder of its own, on loopback and a free port, asked over
 * its API. Bad case: a Prometheus that does not come up; the error carries what it printed.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROMETHEUS_FOLDER } from "./boards.ts";

const START_MS = 30_000;
const STOP_MS = 5000;

/** One series of an answer. */
export type Series = { readonly metric: Record<string, string>; readonly value: readonly [number, string] };

/** A group of rules as Prometheus evaluates it. */
export type RuleState = {
  readonly name: string;
  readonly health: string;
  readonly lastError: string;
  readonly state?: string;
};

/** Where a program stands; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  try {
    return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** A running Prometheus that scrapes one address every second, with our rules. */
export class RunningPrometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  constructor(child: ChildProcess, { folder, url }: { folder: string; url: string }) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  /** Starts it and waits until it answers. @param target host and port that it scrapes */
  static async start(program: string, target: string): Promise<RunningPrometheus> {
    const folder = mkdtempSync(join(tmpdir(), "alphapulse-prometheus-"));
    copyFileSync(join(PROMETHEUS_FOLDER, "rules.yml"), join(folder, "rules.yml"));
    writeFileSync(join(folder, "prometheus.yml"), configuration(target));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      program,
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "tsdb")}`,
        `--web.listen-address=${address}`,
        "--log.level=warn",
      ],
      { stdio: ["ignore", "ignore", "pipe"], cwd: folder },
    );
    let printed = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    const running = new RunningPrometheus(child, { folder, url: `http://${address}` });
    for (const endsAt = Date.now() + START_MS; !(await running.#isReady()); ) {
      if (Date.now() > endsAt || child.exitCode !== null) {
        await running.stop();
        throw new Error(`Cannot start Prometheus: it is not ready, it printed ${printed}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return running;
  }

  /** The answer of an instant query now. @throws Error when Prometheus refuses the query */
  async query(expr: string): Promise<Series[]> {
    const answer = await this.#ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (answer as { result: Series[] }).result;
  }

  /** Every rule with its health. */
  async rules(): Promise<RuleState[]> {
    const answer = await this.#ask("/api/v1/rules");
    return (answer as { groups: { rules: RuleState[] }[] }).groups.flatMap(({ rules }) => rules);
  }

  /** Ends it, by force when it takes too long, and removes what it stored. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(timer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask(path: string): Promise<unknown> {
    const response = await fetch(this.#url + path);
    const {
      status,
      data: answer,
      error,
    } = (await response.json()) as { status: string; data: unknown; error?: string };
    if (status !== "success") {
      throw new Error(`Cannot ask Prometheus: ${error}, was ${decodeURIComponent(path)}`);
    }
    return answer;
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/-/ready`)).ok;
    } catch {
      return false;
    }
  }
}

function configuration(target: string): string {
  return `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: alphapulse
    static_configs: [{ targets: ["${target}"] }]
`;
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
