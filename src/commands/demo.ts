/**
 * `alphapulse demo`: emulator, collectors and gateway on one machine, no network needed. The emulator is a process of its
 * own, so that its books share neither memory nor garbage collector with what is shown.
 * Bad case: the emulator dies; the collectors reconnect for ever and the page says so.
 */
import type { Command } from "commander";
import { ProgramPart } from "../load/mod.ts";
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
  const words = ["emulate", "--exchange", exchange.join(","), "--log-level", "warn"];
  const emulator = new ProgramPart("the emulator", [...words, `--rate=${market.rate}`, `--seed=${market.seed}`]);
  try {
    const announcement = emulator.next((message) => message as EmulatorMessage, START_PATIENCE_MS);
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
    // Not awaited: the page is closed, and the emulator ends with this process at the latest.
    void emulator.end();
  }
}

function endpointSettings(endpoints: EmulatorMessage["endpoints"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(endpoints).flatMap(([id, { websocket, rest }]) => [
      [`exchanges.${id}.websocket_urls`, websocket],
      [`exchanges.${id}.rest_url`, rest],
    ]),
  );
}
