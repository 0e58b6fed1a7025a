/**
 * One process of the torture over files. Words: `produce <directory> <records> <seed> <seconds> <capacity>` or
 * `read <directory> <seed>`. A producer says `ready`, and at its end how far it came; a reader prints the account of each epoch
 * as a line. Readers are nicer than producers: else there is little to read on a machine of few cores.
 * Bad case: whatever it throws; it ends with a status and text on stderr.
 */
import { setPriority } from "node:os";
import { produceTorture } from "./mapped_torture_producer.ts";
import { readTorture } from "./mapped_torture_reader.ts";
import { SeededRandom } from "./seeded_random.ts";

const NICE = 5;
const [role, directory = "", ...words] = process.argv.slice(2);
const numbers = words.map(Number);

function say(line: object | string): void {
  process.stdout.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
}

if (role === "produce") {
  const [records = 0, seed = 1, seconds = Number.POSITIVE_INFINITY, capacity = 256] = numbers;
  const untilMs = performance.now() + seconds * 1000;
  say(await produceTorture(directory, { records, seed, untilMs, capacity, onReady: () => say("ready") }));
} else {
  setPriority(NICE);
  await readTorture(directory, { random: new SeededRandom(numbers[0] ?? 1), tell: say });
}
