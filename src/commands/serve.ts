/**
 * `alphapulse serve`: live collectors and the gateway in one process; `--record` also writes captures.
 * Bad case: an instrument that an exchange does not list; refused at start with the nearest names.
 */
import type { Command } from "commander";
import { startEngine } from "./engine.ts";
import { openLog } from "./log.ts";
import { addCommonFlags, addExchangeFlags, addGatewayFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { runUntilStopped } from "./shutdown.ts";

/** Adds the command. */
export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("Collect live market data and serve stream, health and page.")
    .option("--record <directory>", "also write everything that is sent and received as captures")
    .addHelpText("after", HELP);
  addCommonFlags(addGatewayFlags(addExchangeFlags(command))).action(serve);
}

async function serve(flags: SharedFlags): Promise<void> {
  const config = commandConfig(flags);
  const log = openLog(config.logLevel);
  const engine = await startEngine(config, log);
  process.stdout.write(`AlphaPulse: ${engine.gateway.url}/\n`);
  await runUntilStopped(() => engine.close(), engine.refused);
}

const HELP = `
Examples:
  alphapulse serve                                        BTC and ETH on Coinbase Exchange, Kraken and Binance
  alphapulse serve --exchange kraken --symbols BTC-USD,ETH-EUR
  alphapulse serve --record captures                      and write captures/<exchange>_<start>_001.jsonl.gz
  alphapulse serve --exchange kraken --set exchanges.kraken.depth=100
  alphapulse serve --set exchanges.kraken.websocket_urls=ws://127.0.0.1:9001/v2 --set exchanges.kraken.rest_url=http://127.0.0.1:9001

Addresses: page at /, stream at /ws and /api/v1/stream/deltas, health at /health and /ready.`;
