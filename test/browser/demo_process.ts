/**
 * The real program as a user starts it: `node dist/main.js demo`, on a free port, with emulated exchanges.
 * Bad case: it ends early or names no address in time: the error carries what it printed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { assetPath, packageFolder } from "../../src/assets.ts";

const START_MS = 30_000;
const STOP_MS = 3_000;

/** A running demo. */
export class DemoProcess {
  /** Where the page is, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  /**
   * Starts the demo and waits until it printed its address.
   * @param words further words of its command line
   */
  static async start(...words: string[]): Promise<DemoProcess> {
    const child = spawn(process.execPath, [assetPath("main.js"), "demo", "--port", "0", ...words], {
      cwd: packageFolder(),
      env: demoEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`Cannot start the demo: ${why}, it printed ${printed}`));
      const timer = setTimeout(() => fail(`no address within ${START_MS} ms`), START_MS);
      child.once("error", (error) => fail(error.message));
      child.once("exit", (status) => fail(`it ended with status ${status}`));
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (text: string) => {
          printed += text;
          const address = /https?:\/\/[\w.[\]-]+:[1-9]\d*/.exec(printed);
          if (address !== null) {
            clearTimeout(timer);
            resolve(address[0]);
          }
        });
      }
    }).catch(async (error: unknown) => {
      await stop(child);
      throw error;
    });
    child.removeAllListeners("exit");
    return new DemoProcess(child, url);
  }

  /** Ends it as Ctrl+C would, by force when it takes too long. */
  async stop(): Promise<void> {
    await stop(this.#child);
  }
}

/** Variables of the tests are no settings of the program, which refuses what it does not know. */
function demoEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("ALPHAPULSE_") || name === "ALPHAPULSE_KERNEL"),
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    return;
  }
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
