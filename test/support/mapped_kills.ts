/**
 * Kills roles of a fleet at random from a seed, starts them again, and judges what everybody else showed meanwhile: when
 * a death was seen, when the next segment was taken, whether every book was right afterwards, whom it disturbed.
 * Bad case: a machine so busy that a producer cannot beat in time; its silence is counted as a disturbance and says so.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { bookProblem, type ToldBook } from "./mapped_books.ts";
import { holds, monotonicMs, pause } from "./mapped_child.ts";
import { FLEET_EXCHANGES, MappedFleet, type Role, type Sight, type WitnessName } from "./mapped_fleet.ts";
import { SeededRandom } from "./seeded_random.ts";

/** Milliseconds by witness. */
export type Times = Partial<Record<WitnessName, number>>;

/** One kill. */
export type KillRow = {
  readonly role: Role;
  /** Between death and the start of the next process, ms. */
  readonly downMs: number;
  /** From death to the first moment at which the books concerned are shown as not synced. */
  readonly unsyncedMs: Times;
  /** From the moment at which the next segment appeared until it was read. */
  readonly attachedMs: Times;
  /** From the start of the next process until every book is synced everywhere. */
  readonly wholeMs: number;
  /** Synced books of others that were shown as not synced, or outcomes that others had. */
  readonly disturbed: readonly string[];
  /** Exchanges whose producers lived and yet gave no sign of life in time: the machine was too busy. */
  readonly starved: readonly string[];
  /** The longest time in which this process, and the exchanges in it, got no time to run. */
  readonly stalledMs: number;
  /** Books that are not the emulator's. */
  readonly wrong: readonly string[];
};

/** What a run found. */
export type KillsResult = {
  readonly seed: number;
  readonly witnesses: readonly WitnessName[];
  readonly rows: readonly KillRow[];
  readonly booksCompared: number;
  readonly samplesCompared: number;
  readonly contradictions: readonly string[];
  readonly accidents: readonly string[];
  /** Checks that failed at the client of the gateway. */
  readonly clientFaults: number;
  /** Share of a core that the gateway used while the market stood still, at the end. */
  readonly idleGatewayCpu: number;
};

const WHOLE_MS = 40_000;
const SEEN_MS = 10_000;
const JUDGE_MS = 20_000;
const STILL_MS = 150;
const STILL_LOOKS = 8;
const BEFORE_MS = 300;
const QUIET_MS = 500;
const IDLE_SECONDS = 20;
const DOWN_MS = 900;

/** @param options.onRow called after every kill @param options.idleSeconds how long the idle gateway is watched */
export async function runKills(
  kills: number,
  options: {
    seed: number;
    python: string | undefined;
    onRow?: (row: KillRow, index: number) => void;
    idleSeconds?: number;
  },
): Promise<KillsResult> {
  const { seed, python } = options;
  const random = new SeededRandom(seed);
  const fleet = await MappedFleet.start({ seed, python });
  try {
    const rows: KillRow[] = [];
    let booksCompared = 0;
    const deck: Role[] = [];
    for (let index = 0; index < kills; index++) {
      // Every role has its turn before one has its second.
      if (deck.length === 0) {
        deck.push(...fleet.roles);
      }
      const [role = "node"] = deck.splice(random.below(deck.length), 1);
      const row = await killOne(fleet, role, random);
      const judged = await judge(fleet);
      booksCompared += judged.compared;
      rows.push({ ...row, wrong: judged.wrong });
      options.onRow?.(rows.at(-1) as KillRow, index);
    }
    fleet.emulator.pause();
    await pause(QUIET_MS);
    const idleGatewayCpu = await fleet.cpuShare("gateway", options.idleSeconds ?? IDLE_SECONDS);
    const { contradictions, accidents, clientFaults, witnesses } = fleet;
    return {
      ...{ seed, witnesses, rows, booksCompared, samplesCompared: fleet.compared },
      ...{ contradictions, accidents, clientFaults, idleGatewayCpu },
    };
  } finally {
    await fleet.close();
  }
}

async function killOne(fleet: MappedFleet, role: Role, random: SeededRandom): Promise<Omit<KillRow, "wrong">> {
  await pause(random.below(BEFORE_MS));
  fleet.takeStall();
  const first = fleet.sights.length;
  const sights = () => fleet.sights.slice(first);
  const isProducer = FLEET_EXCHANGES.some((exchange) => exchange === role);
  const before = isProducer ? fleet.segmentFile(role).inode : 0;
  const killedAt = await fleet.kill(role);
  const downMs = random.below(DOWN_MS);
  await pause(Math.max(0, downMs - (monotonicMs() - killedAt)));
  const startedAt = monotonicMs();
  fleet.run(role);
  const concerned = isProducer ? fleet.witnesses : role === "gateway" ? [role] : [];
  const unsyncedMs: Times = {};
  for (const witness of concerned) {
    const time = () => unsyncedAt(sights(), { witness, exchange: isProducer ? role : "" });
    await holds(() => time() !== undefined, SEEN_MS);
    unsyncedMs[witness] = rounded((time() ?? Number.POSITIVE_INFINITY) - killedAt);
  }
  const attachedMs = isProducer ? await attachments(fleet, { role, before, sights }) : {};
  await holds(() => fleet.isWhole, WHOLE_MS);
  const wholeMs = rounded(monotonicMs() - startedAt);
  return {
    role,
    downMs,
    unsyncedMs,
    attachedMs,
    wholeMs,
    disturbed: disturbances(sights(), role),
    starved: starvedBeside(sights(), role),
    stalledMs: fleet.takeStall(),
  };
}

/** When a witness had shown every book of an exchange as not synced; of all exchanges when none is named. */
function unsyncedAt(
  sights: readonly Sight[],
  { witness, exchange }: { witness: WitnessName; exchange: string },
): number | undefined {
  const firsts = new Map<string, number>();
  for (const sight of sights) {
    const isConcerned = sight.witness === witness && sight.kind === "state" && sight.name.startsWith(exchange);
    if (isConcerned && !sight.isSynced && !firsts.has(sight.name)) {
      firsts.set(sight.name, sight.at);
    }
  }
  const books = exchange === "" ? 2 * FLEET_EXCHANGES.length : 2;
  return firsts.size < books ? undefined : Math.max(...firsts.values());
}

async function attachments(
  fleet: MappedFleet,
  { role, before, sights }: { role: Role; before: number; sights: () => Sight[] },
): Promise<Times> {
  const isThere = () => ![0, before].includes(fleet.segmentFile(role).inode);
  await holds(isThere, WHOLE_MS);
  const { appearedAt } = fleet.segmentFile(role);
  const times: Times = {};
  for (const witness of fleet.witnesses) {
    const found = () =>
      sights().find(
        (sight) =>
          sight.witness === witness &&
          sight.kind === "outcome" &&
          sight.exchange === role &&
          ["epoch", "epochchanged", "attached"].includes(sight.outcome),
      );
    await holds(() => found() !== undefined, SEEN_MS);
    times[witness] = rounded((found()?.at ?? Number.POSITIVE_INFINITY) - appearedAt);
  }
  return times;
}

/** What others than the killed one and its own readers saw. */
function disturbances(sights: readonly Sight[], role: Role): string[] {
  return sights.flatMap((sight) => {
    if (sight.witness === role) {
      return [];
    }
    const exchange = sight.kind === "state" ? sight.name.split(":")[0] : sight.exchange;
    const what = sight.kind === "state" ? `${sight.name} ${sight.why}` : `${sight.exchange} ${sight.outcome}`;
    const isBad = sight.kind === "state" ? !sight.isSynced : sight.outcome !== "alive";
    const isForeign = exchange !== role && isBad;
    const isNever = sight.kind === "outcome" && ["refused", "lapped"].includes(sight.outcome);
    return isForeign || isNever ? [`${sight.witness}: ${what}`] : [];
  });
}

/** Producers that others than the killed one were without for a while. */
function starvedBeside(sights: readonly Sight[], role: Role): string[] {
  const silent = sights.flatMap((sight) =>
    sight.kind === "outcome" && sight.outcome === "stale" && sight.exchange !== role ? [sight.exchange] : [],
  );
  return [...new Set(silent)];
}

type Judged = { compared: number; wrong: string[] };

/** With the market paused: every book of every witness is the emulator's, and all have the same version and hash. */
async function judge(fleet: MappedFleet): Promise<Judged> {
  fleet.emulator.pause();
  const until = monotonicMs() + JUDGE_MS;
  let previous = "";
  for (let still = 0; ; ) {
    const { judged, versions } = await look(fleet);
    still = versions === previous ? still + 1 : 0;
    previous = versions;
    // Records on their way change versions; a book that stands still and is not right is wrong.
    if ((judged.wrong.length === 0 && still > 0) || still >= STILL_LOOKS || monotonicMs() > until) {
      fleet.emulator.resume();
      return judged;
    }
    await pause(STILL_MS);
  }
}

async function look(fleet: MappedFleet): Promise<{ judged: Judged; versions: string }> {
  const node = (await fleet.books("node")) ?? [];
  const told: Partial<Record<WitnessName, ToldBook[]>> = { node, gateway: fleet.clientBooks(node) };
  if (fleet.witnesses.includes("python")) {
    told.python = (await fleet.books("python")) ?? [];
  }
  const wrong: string[] = [];
  const all = fleet.witnesses.flatMap((witness) => (told[witness] ?? []).map((book) => ({ witness, book })));
  for (const { witness, book } of all) {
    const truth = fleet.emulator.trueBook(book.name.split(":")[0] as ExchangeId, book.native);
    const twin = node.find(({ name }) => name === book.name);
    const isSame = twin?.version === book.version && twin.hash === book.hash;
    const problem = bookProblem(book, truth) || (isSame ? "" : `version ${book.version}, node has ${twin?.version}`);
    if (problem !== "") {
      wrong.push(`${witness} ${book.name} version ${book.version}: ${problem}`);
    }
  }
  for (const witness of fleet.witnesses) {
    const count = told[witness]?.length ?? 0;
    if (count !== 2 * FLEET_EXCHANGES.length) {
      wrong.push(`${witness} has ${count} books`);
    }
  }
  const versions = all.map(({ witness, book }) => `${witness} ${book.name} ${book.version}`).join();
  return { judged: { compared: all.length, wrong }, versions };
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
