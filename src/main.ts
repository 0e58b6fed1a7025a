/**
 * The command line. Status 0 when all went well, 1 when something failed, 2 when the command, its flags or the
 * configuration cannot be used. Bad case: an error of ours; it is printed with its stack, because somebody must mend it.
 */
import { Command, CommanderError } from "commander";
import { versionText } from "./assets.ts";
import { addCollect } from "./commands/collect.ts";
import { addDemo } from "./commands/demo.ts";
import { addEmulate } from "./commands/emulate.ts";
import { addGateway } from "./commands/gateway.ts";
import { addHealth } from "./commands/health.ts";
import { addInspect } from "./commands/inspect.ts";
import { addLoad } from "./commands/load.ts";
import { addProbe } from "./commands/probe.ts";
import { addReplay } from "./commands/replay.ts";
import { addServe } from "./commands/serve.ts";
import { ConfigError, ConnectionError, DecodeError } from "./errors.ts";
import { MappingError } from "./mapping/errors.ts";

const STATUS_FAILED = 1;
const STATUS_UNUSABLE = 2;

/** The program with all its commands. */
function buildProgram(): Command {
  const program = new Command("alphapulse")
    .description("Order books and trades of crypto exchanges: exact, compact, and honest about what is not known.")
    .version(versionText())
    .showHelpAfterError("(add --help for what can be used)")
    .exitOverride()
    .addHelpText("after", HELP);
  for (const add of [
    addDemo,
    addServe,
    addCollect,
    addGateway,
    addHealth,
    addInspect,
    addEmulate,
    addReplay,
    addProbe,
    addLoad,
  ]) {
    add(program);
  }
  return program;
}

async function main(words: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync([...words]);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : STATUS_UNUSABLE;
    }
    const isExpected = [ConfigError, ConnectionError, DecodeError, MappingError].some((kind) => error instanceof kind);
    process.stderr.write(`${isExpected && error instanceof Error ? error.message : describe(error)}\n`);
    return error instanceof ConfigError || error instanceof DecodeError ? STATUS_UNUSABLE : STATUS_FAILED;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const HELP = `
Settings come from alphapulse.toml, then the environment (ALPHAPULSE_<KEY>, EXCHANGE, SYMBOLS), then flags.
Any setting can be given as --set key=value.`;

void main(process.argv).then((status) => process.exit(status));
