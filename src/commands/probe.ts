/**
 * `alphapulse probe`: connects to one live exchange for half a minute and judges what came: instrument list, handshake,
 * first books, integrity. Prints what passed, and for what failed how to mend it.
 * Bad case: a quiet market; a book that is synced but had no update passes, and the line says so.
 */
import type { Command } from "commander";
import { type Config, selectExchanges } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import { EXCHANGES } from "../exchanges/mod.ts";
import type { Report } from "../feed/collector.ts";
import { collectorRanges, Supervisor } from "../feed/supervisor.ts";
import { SegmentView } from "../segment/view.ts";
import { compileKernel, createMap } from "./engine.ts";
import { judge, type Verdict } from "./probe_verdict.ts";
import { addCommonFlags, addExchangeFlags, commandConfig, type SharedFlags } from "./settings.ts";
import { runUntilStopped } from "./shutdown.ts";

type ProbeFlags = SharedFlags & { seconds: string };

const LOOK_MS = 250;

/** Adds the command. */
export function addProbe(program: Command): void {
  const command = program
    .command("probe")
    .description("Connect to one live exchange for a while and judge handshake, first books and integrity.")
    .option("--seconds <number>", "how long to look", "30")
    .addHelpText("after", HELP);
  addCommonFlags(addExchangeFlags(command)).action(probe);
}

async function probe(flags: ProbeFlags): Promise<void> {
  const config = commandConfig(flags);
  const seconds = Number(flags.seconds);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new ConfigError(`Cannot probe: --seconds must be above 0 and at most 86400, was ${flags.seconds}`);
  }
  const [selected, ...others] = selectExchanges(config);
  if (selected === undefined || others.length > 0) {
    throw new ConfigError(`Cannot probe: name one exchange with --exchange, was ${config.exchange.join(",")}`);
  }
  const { title } = EXCHANGES[selected.id].header;
  process.stdout.write(`Probing ${title} for ${seconds} s: ${selected.instruments.join(", ")}\n`);
  const verdicts = await look(config, seconds);
  for (const { isGood, what, advice } of verdicts) {
    process.stdout.write(`${isGood ? "pass" : "FAIL"}  ${what}\n${isGood || advice === "" ? "" : `      ${advice}\n`}`);
  }
  const hasPassed = verdicts.every(({ isGood }) => isGood);
  process.stdout.write(hasPassed ? "The exchange works.\n" : "The exchange does not work from here.\n");
  process.exitCode = hasPassed ? 0 : 1;
}

async function look(config: Config, seconds: number): Promise<Verdict[]> {
  const exchanges = selectExchanges(config);
  const map = createMap(collectorRanges(config, exchanges));
  const kernelModule = compileKernel(config);
  const reports: Report[] = [];
  const supervisor = new Supervisor({
    map,
    config,
    exchanges,
    ...(kernelModule === undefined ? {} : { kernelModule }),
    pid: process.pid,
    report: (_exchange, report) => reports.push(report),
  });
  const everSynced = new Set<string>();
  let verdicts: Verdict[] = [];
  const view = () => {
    const [segment] = supervisor.segments();
    return segment === undefined ? undefined : new SegmentView(map.memory.buffer, segment.address);
  };
  const timer = setInterval(() => {
    verdicts = judge({ segment: view(), reports, everSynced });
  }, LOOK_MS);
  const started = supervisor.start();
  const ended = started.then(() => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000)));
  try {
    await runUntilStopped(
      async () => {
        verdicts = judge({ segment: view(), reports, everSynced });
        clearInterval(timer);
        await supervisor.stop();
      },
      { ended },
    );
  } finally {
    clearInterval(timer);
  }
  return verdicts;
}

const HELP = `
Examples:
  alphapulse probe --exchange kraken
  alphapulse probe --exchange binance_us --symbols BTC-USD --seconds 60`;
