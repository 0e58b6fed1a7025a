/**
 * Books on another machine through a real broker: equal by hash to the collector's, which are the emulator's truth, and
 * equal again after the broker died, the link was cut, or the reader was too slow. Skipped by name without nats-server.
 */
import { describe, expect, it } from "vitest";
import { hasNatsServer } from "../support/nats_server.ts";
import { PATIENCE, type Program } from "./mapped_rig.ts";
import {
  Elsewhere,
  expectSameBooks,
  follow,
  hashesOf,
  Machine,
  readerOf,
  type Stand,
  startBroker,
  startExchanges,
} from "./nats_rig.ts";

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function kill({ child, ended }: Program): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}

/**
 * What a witness of the exchange saw and the merged book did not, or the other way round, from the first common stand on.
 * Collectors of Binance know different outer levels: there an event is known by its number, and going over from one to the
 * other adds a stand of the same number.
 */
function firstDifference(merged: readonly Stand[], witness: readonly Stand[], isNumbered: boolean): string | undefined {
  const text = ({ hash, eventAtNs, sequence }: Stand) => `${isNumbered ? "" : hash} ${eventAtNs} ${sequence}`;
  // A word about the state alone repeats the stand before it.
  const texts = (stands: readonly Stand[]) => stands.map(text).filter((stand, index, all) => stand !== all[index - 1]);
  const [told, seen] = [texts(merged), texts(witness)];
  const first = told.findIndex((stand) => seen.includes(stand));
  const from = seen.lastIndexOf(told[first] ?? "");
  if (first < 0 || from < 0) {
    return "nothing in common";
  }
  const [one, other] = [told.slice(first), seen.slice(from)];
  const index = one.findIndex((stand, place) => stand !== other[place]);
  return index < 0 && one.length === other.length
    ? undefined
    : `event ${index} of ${one.length} and ${other.length}: ${one[index]} for ${other[index]}`;
}

describe.skipIf(!hasNatsServer)("books through a broker", () => {
  it("are the collector's and the exchange's, by hash and level by level", async () => {
    const broker = await startBroker();
    const machine = new Machine(await startExchanges(["kraken", "binance", "coinbase_exchange"]));
    const exchanges = ["kraken", "binance", "coinbase_exchange"] as const;
    for (const exchange of exchanges) {
      machine.publish(exchange, broker.url);
    }
    const elsewhere = await Elsewhere.start(broker.url);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(6);
    await expect.poll(() => elsewhere.counts.events, PATIENCE).toBeGreaterThan(300);
    const readers = await Promise.all(exchanges.map((exchange) => readerOf(machine, exchange)));
    await expectSameBooks(() => elsewhere.hashes, { machine, readers });
    expect(elsewhere.counts).toMatchObject({ gaps: 0, interruptions: 0 });
  }, 90_000);

  it.each(["kraken", "binance", "coinbase_exchange"] as const)(
    "lose no event of %s and repeat none while either of two collectors is killed, again and again",
    async (exchange) => {
      const broker = await startBroker();
      const emulator = await startExchanges([exchange], 40);
      const [first, second, third] = [new Machine(emulator), new Machine(emulator), new Machine(emulator)];
      third.collect(exchange);
      const witness = await readerOf(third, exchange);
      await expect.poll(() => third.synced(witness).length, PATIENCE).toBe(2);
      const seen = follow(witness);
      // A collector that starves for seconds on a slow machine is no dead one.
      const elsewhere = await Elsewhere.start(broker.url, { "nats.patience_ms": 10_000 });
      const known = new Set<bigint>();
      const living: { program: Program; source: bigint }[] = [];
      /** Starts the collector of a machine; each life of one has a name that is heard. */
      const start = async (place: 0 | 1) => {
        const program = [first, second][place]?.publish(exchange, broker.url) as Program;
        const fresh = () => elsewhere.receiver.exchanges[0]?.freshSources.find((source) => !known.has(source));
        await expect.poll(fresh, PATIENCE).toBeDefined();
        const source = fresh() as bigint;
        known.add(source);
        living[place] = { program, source };
      };
      /** Either could carry on alone. */
      const areWarm = () =>
        Object.keys(elsewhere.hashes).length === 2 &&
        elsewhere.receiver.exchanges.every(({ instruments }) =>
          instruments.every(({ warm }) => living.every(({ source }) => warm.includes(source))),
        );
      await start(0);
      await start(1);
      const isNumbered = exchange === "binance";
      for (let round = 0; round < 4; round++) {
        await pause(500 + 300 * round);
        await expect.poll(areWarm, PATIENCE).toBe(true);
        const victim = round % 2 === 0 ? 0 : 1;
        await kill((living[victim] as { program: Program }).program);
        await pause(2000);
        await start(victim);
      }
      emulator.pause();
      await expect.poll(() => third.differences(witness), PATIENCE).toEqual([]);
      const machines = isNumbered ? [first, second] : [third];
      const wanted = (await Promise.all(machines.map((machine) => readerOf(machine, exchange)))).map(hashesOf);
      await expect
        .poll(
          () =>
            Object.entries(elsewhere.hashes).filter(([name, hash]) => wanted.some((hashes) => hashes[name] === hash)),
          PATIENCE,
        )
        .toHaveLength(2);
      // What was published may not have been read by the test yet.
      const differences = () =>
        [...seen].map(([name, stands]) => [
          name,
          firstDifference(elsewhere.stands.get(name) ?? [], stands, isNumbered),
        ]);
      await expect
        .poll(differences, { ...PATIENCE, interval: 500 })
        .toEqual([...seen.keys()].map((name) => [name, undefined]));
      expect(elsewhere.counts).toMatchObject({ differences: 0, resets: 2 });
      expect(elsewhere.counts.turns + elsewhere.counts.takeovers).toBeGreaterThan(0);
    },
    120_000,
  );
});
