/**
 * `alphapulse replay`: captures through the whole engine, and a verdict. The work is in src/replay.
 * Bad case: unusable input; one clear line and status 2.
 */
import type { Command } from "commander";
import { readAsset } from "../assets.ts";
import { runReplay } from "../replay/mod.ts";
import { addCommonFlags, commandConfig, type SharedFlags } from "./settings.ts";

type ReplayFlags = SharedFlags & { json?: boolean; flip?: string };

const BAR_CHARACTERS = 30;

/** Adds the command. */
export function addReplay(program: Command): void {
  const command = program
    .command("replay")
    .description("Drive captures through decoder, sync, book, ring and wire codec, and check everything.")
    .argument("<captures...>", "capture files (.jsonl.gz); several are one stream")
    .option("--json", "print one JSON object instead of a report")
    .option("--flip <where:bit>", "flip one bit, e.g. ring:1234 or wire:77: the checks must catch it")
    .addHelpText("after", "\nStatus 0 when every integrity check held, 1 when one failed, 2 for unusable input.");
  addCommonFlags(command).action(replay);
}

async function replay(files: string[], flags: ReplayFlags): Promise<void> {
  const config = commandConfig(flags);
  const isJson = flags.json === true;
  const showsBar = !isJson && process.stderr.isTTY;
  const status = await runReplay({
    files,
    isJson,
    ...(flags.flip === undefined ? {} : { flip: flags.flip }),
    kernelName: config.kernel,
    ...(config.kernel === "wasm" ? { wasmBytes: readAsset("kernel.wasm") } : {}),
    out: (text) => process.stdout.write(text.endsWith("\n") ? text : `${text}\n`),
    ...(showsBar ? { progress: showBar } : {}),
  });
  if (showsBar) {
    process.stderr.write("\r\u001b[K");
  }
  process.exitCode = status;
}

function showBar(share: number, frames: number): void {
  const full = Math.round(Math.min(1, share) * BAR_CHARACTERS);
  const bar = "█".repeat(full) + "░".repeat(BAR_CHARACTERS - full);
  process.stderr.write(`\r${bar} ${Math.round(share * 100)} % · ${frames} frames`);
}
