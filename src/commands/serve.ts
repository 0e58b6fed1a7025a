/**
 * `alphapulse serve`: live collectors and the gateway in one process; `--record` also writes captures. Other processes can
 * read its segments, unless this machine cannot share memory or other collectors hold the names already. A program that
 * forked it takes it along when it ends.
 * Bad case: an instrument that an exchange does not list; refused at start with the nearest names.
 */
import type { Command } from "commander";
import { ExportedMap, WHOLE } from "../mapping/mod.ts";
import { type Engine, startEngine } from "./engine.ts";
import { openLog } from "./log.ts";
import { SizeFiles } from "./segment_sizes.ts";
import { addCommonFlags, addExchangeFlags, addGatewayFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { addDirectoryFlag, directoryOf, openMap } from "./shared_memory.ts";
import { deadlineWithDrain, heedSignals, runUntilStopped } from "./shutdown.ts";
import { followSupervisor } from "./supervised.ts";

/** Adds the command. */
export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("Collect live market data and serve stream, health and page.")
    .option("--record <directory>", "also write everything that is sent and received as captures")
    .addHelpText("after", HELP);
  addCommonFlags(addDirectoryFlag(addGatewayFlags(addExchangeFlags(command)))).action(serve);
}

async function serve(flags: SharedFlags): Promise<void> {
  heedSignals();
  followSupervisor();
  const config = commandConfig(flags);
  const log = openLog(config.logLevel, { format: config.logFormat });
  const sizes = new SizeFiles(directoryOf(config).directory, { shard: WHOLE, log });
  const map = await openMap(config, log, {
    patienceMs: 0,
    sizes,
    others: [config.gateway.arenaBytes],
    onLost: (exchange) => {
      const id = config.exchange.find((one) => one === exchange);
      log.error(`The segment of ${exchange} was taken away or replaced: making another`);
      if (id !== undefined) {
        engine?.supervisor.replace(id);
      }
    },
  });
  let engine: Engine | undefined;
  const release = () => (map instanceof ExportedMap ? map.close() : undefined);
  try {
    engine = await startEngine(config, log, { map, sizes });
  } catch (error) {
    release();
    throw error;
  }
  const { gateway, refused, close } = engine;
  process.stdout.write(`AlphaPulse: ${gateway.url}/\n`);
  await runUntilStopped(
    async () => {
      await close();
      release();
    },
    { ended: refused, deadlineMs: deadlineWithDrain(config.gateway.drainMs) },
  );
}

const HELP = `
Examples:
  alphapulse serve                                        BTC and ETH on Coinbase Exchange, Kraken and Binance
  alphapulse serve --exchange kraken --symbols BTC-USD,ETH-EUR
  alphapulse serve --record captures                      and write captures/<exchange>_<start>_001.jsonl.gz
  alphapulse serve --exchange kraken --set exchanges.kraken.depth=100
  alphapulse serve --set exchanges.kraken.websocket_urls=ws://127.0.0.1:9001/v2 --set exchanges.kraken.rest_url=http://127.0.0.1:9001

Addresses: page at /, stream at /ws and /api/v1/stream/deltas, health at /health and /ready.`;
