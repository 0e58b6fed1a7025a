/**
 * `alphapulse demo`: emulator, collectors and gateway on one machine, no network needed. The emulator is a process of its
 * own, so that its books share neither memory nor garbage collector with what is shown.
 * Bad case: the emulator dies; the collectors reconnect for ever and the page says so.
 */
import type { ChildProcess } from "node:child_process";
import type { Command } from "commander";
import { forkProgram } from "../assets.ts";
import { ConnectionError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import type { EmulatorMessage } from "./emulate.ts";
import { compileKernel, startEngine } from "./engine.ts";
import { openLog } from "./log.ts";
import { addCommonFlags, addExchangeFlags, addGatewayFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { deadlineWithDrain, heedSignals, runUntilStopped } from "./shutdown.ts";

type DemoFlags = SharedFlags & { rate?: string; seed?: string };

const START_PATIENCE_MS = 10_000;

/** Adds the command. */
export function addDemo(program: Command): void {
  const command = program
    .command("demo")
    .description("Show everything on one machine: emulated exchanges, collectors, gateway, page.")
    .option("--rate <factor>", "factor on all event rates of the synthetic market (default: 1)")
    .option("--seed <number>", "equal seeds give equal markets (default: 1)")
    .addHelpText("after", "\nOpen the printed address in a browser. Ctrl-C ends everything.");
  addCommonFlags(addGatewayFlags(addExchangeFlags(command))).action(demo);
}

async function demo(flags: DemoFlags): Promise<void> {
  heedSignals();
  const chosen = {
    log_level: "warn",
    ...(flags.rate === undefined ? {} : { "emulator.rate": flags.rate }),
    ...(flags.seed === undefined ? {} : { "emulator.seed": flags.seed }),
  };
  const preliminary = commandConfig(flags, chosen);
  const { exchange, emulator: market } = preliminary;
  const emulator = forkEmulator(exchange, [`--rate=${market.rate}`, `--seed=${market.seed}`]);
  try {
    const announcement = announced(emulator);
    const kernelModule = compileKernel(preliminary);
    const { endpoints } = await announcement;
    const config = commandConfig(flags, { ...chosen, ...endpointSettings(endpoints) });
    const engine = await startEngine(config, openLog(config.logLevel, { format: config.logFormat }), {
      kernelModule,
      patienceMs: 0,
    });
    process.stdout.write(`AlphaPulse demo: ${engine.gateway.url}/\n`);
    const deadlineMs = deadlineWithDrain(config.gateway.drainMs);
    await runUntilStopped(() => engine.close(), { ended: engine.refused, deadlineMs });
  } finally {
    emulator.kill("SIGTERM");
  }
}

function forkEmulator(exchanges: readonly ExchangeId[], flags: string[]): ChildProcess {
  const words = ["emulate", "--exchange", exchanges.join(","), "--log-level", "warn", ...flags];
  return forkProgram(words, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: emulatorEnvironment(),
  });
}

/** Settings of ours in the environment are for this process; the emulator gets flags. */
function emulatorEnvironment(): NodeJS.ProcessEnv {
  const ours = (name: string) => name.startsWith("ALPHAPULSE_") || name === "EXCHANGE" || name === "SYMBOLS";
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours(name)));
}

function announced(emulator: ChildProcess): Promise<EmulatorMessage> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) =>
      reject(new ConnectionError(`Cannot start the emulator: ${reason}, was pid ${emulator.pid}`));
    const timer = setTimeout(() => fail(`it says nothing for ${START_PATIENCE_MS} ms`), START_PATIENCE_MS);
    emulator.once("message", (message) => {
      clearTimeout(timer);
      resolve(message as EmulatorMessage);
    });
    emulator.once("exit", (status) => {
      clearTimeout(timer);
      fail(`it ended with status ${status}`);
    });
  });
}

function endpointSettings(endpoints: EmulatorMessage["endpoints"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(endpoints).flatMap(([id, { websocket, rest }]) => [
      [`exchanges.${id}.websocket_urls`, websocket],
      [`exchanges.${id}.rest_url`, rest],
    ]),
  );
}
