/**
 * One process of the torture over files: as `produce` it applies generated frames as fast as it can on a tiny ring, many
 * images, ringing for sleepers; as `read` it follows from another process, verifies every record by version and hash,
 * joins anew after every lap, sleeps now and then, and accounts for every record. Prints one JSON line at its end.
 * Bad case: anything torn; it is counted by its code and never ignored.
 */
import { setTimeout as pause } from "node:timers/promises";
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LAPS,
  READER_LOST,
  REPLICA_EMPTY,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  RING_DELTAS,
  SEGMENT_STATE_CLOSED,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { type Attachment, loadLibc, SegmentFollower, Sleeper } from "../../src/mapping/mod.ts";
import { ReplicaJoiner } from "../../src/segment/join.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { readCount } from "../../src/wire/numbers.ts";
import { MappedProducer } from "../unit/mapped_rig.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a reader prints at its end. */
export type TortureSummary = {
  readonly start: number;
  readonly received: number;
  readonly lost: number;
  readonly laps: number;
  readonly cursor: number;
  readonly joins: number;
  readonly applied: number;
  /** Records or images that contradict themselves, by code. */
  readonly torn: Readonly<Record<string, number>>;
  readonly isFollowing: boolean;
};

const BATCH = 32;
const ARENA_BYTES = 16 * 1024 * 1024;

const DEADLINE_EVERY = 1024;

const [role = "", directory = "", amount = "0", seed = "1", seconds = "Infinity"] = process.argv.slice(2);
if (role === "produce") {
  await produce(Number(amount), { untilMs: performance.now() + Number(seconds) * 1000 });
} else {
  process.stdout.write(`${JSON.stringify(await read(new SeededRandom(Number(seed))))}\n`);
}

/** Two books, updates in bursts, a fresh snapshot now and then; ends early when its time is over. */
async function produce(records: number, { untilMs }: { untilMs: number }): Promise<void> {
  const producer = await MappedProducer.start(directory);
  producer.snapshot(300);
  producer.snapshot(300, "ETH-USD");
  process.stdout.write("ready\n");
  const random = new SeededRandom(Number(seed));
  await pause(300);
  for (let count = 0; count < records; count++) {
    if (count % DEADLINE_EVERY === 0 && performance.now() > untilMs) {
      break;
    }
    if (random.below(5000) === 0) {
      producer.snapshot(200 + random.below(200));
    }
    producer.update(random.below(1000), random.below(3) === 0 ? "ETH-USD" : "BTC-USD");
    if (random.below(2000) === 0) {
      await pause(random.below(3));
    }
  }
  process.stdout.write(`${JSON.stringify({ tail: producer.close() })}\n`);
  // Readers that were stopped read the rest of the file without a name.
  await pause(200);
}

async function attach(follower: SegmentFollower): Promise<Attachment> {
  for (;;) {
    const [attachment] = follower.look().flatMap((change) => (change.kind === "attached" ? [change.attachment] : []));
    if (attachment !== undefined && attachment.view.instrumentCount === 2) {
      return attachment;
    }
    await pause(1);
  }
}

async function read(random: SeededRandom): Promise<TortureSummary> {
  const libc = await loadLibc();
  const map = new MemoryMap(2 ** 26);
  const arena = map.reserve("arena", { bytes: ARENA_BYTES });
  const follower = new SegmentFollower({ libc, map, directory, isExplicit: true });
  const { view, readers } = await attach(follower);
  const kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") });
  kernel.arenaInit(arena.address, arena.bytes);
  const memory = new DataView(map.memory.buffer);
  const sleeper = new Sleeper(libc, map.memory);
  const reader = kernel.readerCreate(view.address, RING_DELTAS);
  const records = kernel.arenaAllocate(BATCH * DELTA_BYTES);
  const scratch = kernel.arenaAllocate(BATCH * DELTA_BYTES);
  const joiner = new ReplicaJoiner(kernel, { segment: view, scratch, scratchRecords: BATCH });
  const books = view.instruments().map((entry) => {
    const replica = kernel.replicaCreate();
    memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
    return { entry, replica };
  });
  const cursor = () => readCount(memory, reader + READER_CURSOR);
  const summary = { start: cursor(), received: 0, joins: 0, applied: 0, torn: {} as Record<string, number> };
  const isFollowing = (replica: number) => memory.getUint32(replica + REPLICA_STATE, true) === REPLICA_STATE_FOLLOWING;
  const tear = (what: string) => {
    summary.torn[what] = (summary.torn[what] ?? 0) + 1;
  };
  const joinAll = () => {
    for (const { entry, replica } of books.filter((book) => !isFollowing(book.replica))) {
      const outcome = joiner.join(replica, { entry: entry.address, until: cursor() });
      summary.joins += outcome.kind === "joined" ? 1 : 0;
      if (outcome.kind === "corrupt") {
        tear(`join ${outcome.code}`);
      }
    }
  };
  while (view.state !== SEGMENT_STATE_CLOSED || cursor() < view.deltaTail) {
    const count = kernel.readerPoll(reader, records, 1 + random.below(BATCH));
    if (count === POLL_LAPPED) {
      for (const { replica } of books) {
        kernel.replicaClear(replica);
      }
    } else if (count === 0) {
      sleeper.announce([readers]);
      if (cursor() === view.deltaTail && view.state !== SEGMENT_STATE_CLOSED) {
        sleeper.sleep([readers], 20);
      }
    }
    for (let index = 0; index < count; index++) {
      const record = records + index * DELTA_BYTES;
      const id = memory.getUint32(record + DELTA_INSTRUMENT_ID, true);
      const book = books.find(({ entry }) => entry.id === id);
      summary.received += 1;
      const code = book === undefined ? -99 : kernel.replicaApply(book.replica, record);
      summary.applied += code === REPLICA_OK ? 1 : 0;
      if (![REPLICA_OK, REPLICA_STALE, REPLICA_EMPTY, REPLICA_RESET].some((fine) => fine === code)) {
        tear(`record ${code}`);
      }
    }
    joinAll();
    if (random.below(3000) === 0) {
      await pause(random.below(30));
    }
  }
  return {
    ...summary,
    lost: readCount(memory, reader + READER_LOST),
    laps: memory.getUint32(reader + READER_LAPS, true),
    cursor: cursor(),
    isFollowing: books.every(({ replica }) => isFollowing(replica)),
  };
}
