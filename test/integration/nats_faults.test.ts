/**
 * What can break between two machines, broken for real: the broker, the link, the reader's pace, the room in the ring.
 * Books elsewhere are right or say that they are not, and are right again afterwards; losses show as counts. So does a broker
 * that lives and stores nothing.
 * Bad case: a slow machine; deadlines are many times what is needed.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectBroker } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/mod.ts";
import { STREAMS } from "../../src/nats/message.ts";
import { DeafProxy, hasNatsServer } from "../support/nats_server.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { atEnd, gatewayUrl, health, PATIENCE, type Program } from "./mapped_rig.ts";
import { Elsewhere, expectSameBooks, gatewayFrom, Machine, readerOf, startBroker, startExchanges } from "./nats_rig.ts";

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** A collector of Kraken that publishes, and what its books are. */
async function startMachine(url: string, { rate = 40, words = [] as string[] } = {}) {
  const machine = new Machine(await startExchanges(["kraken"], rate));
  const collector = machine.publish("kraken", url, words);
  const reader = await readerOf(machine, "kraken");
  await expect.poll(() => machine.synced(reader).length, PATIENCE).toBe(2);
  return { machine, collector, reader };
}

/** From now on the stream of records refuses longer messages. @param bytes −1 = it takes all */
async function limitMessages(url: string, bytes: number): Promise<void> {
  const connection = await connectBroker({ servers: url.replace("nats://", "") });
  const manager = await jetstreamManager(connection);
  await manager.streams.update(STREAMS.records.name, { max_msg_size: bytes });
  await connection.close();
}

/** Hashes that a client of a gateway holds. */
async function clientOf(gateway: Program, names: readonly string[]) {
  const url = await gatewayUrl(gateway);
  await expect.poll(async () => (await health(url)).instruments.length, PATIENCE).toBe(names.length);
  const client = connect(`${url.replace("http", "ws")}/ws`, { WebSocket: WitnessSocket, timing: { firstDelayMs: 20 } });
  atEnd(() => client.close());
  const books = names.map((name) => ({ name, book: client.book(name) }));
  return {
    url,
    client,
    hashes: () =>
      Object.fromEntries(
        books.flatMap(({ name, book }) => (book.state === "synced" ? [[name, book.hash] as const] : [])),
      ),
  };
}

const BOTH = ["kraken:BTC-USD", "kraken:ETH-USD"];

describe.skipIf(!hasNatsServer)("books through a broker that breaks", () => {
  it("lose nothing when the broker is killed and started again over its store", async () => {
    const broker = await startBroker();
    const { machine, reader } = await startMachine(broker.url);
    const elsewhere = await Elsewhere.start(broker.url);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    for (let round = 0; round < 2; round++) {
      await broker.kill();
      await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(0);
      await pause(1000);
      await broker.start();
      await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    }
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
    // Every record came in the end, from the ring or from the store: no chain ever broke.
    expect(elsewhere.counts).toMatchObject({ gaps: 0, differences: 0, resets: 2 });
    expect(elsewhere.counts.interruptions).toBeGreaterThanOrEqual(4);
  }, 120_000);

  it("are repaired by snapshots when the broker forgets everything", async () => {
    const broker = await startBroker();
    const settings = ["--set=nats.storage=memory"];
    const { machine, reader } = await startMachine(broker.url, { words: settings });
    const elsewhere = await Elsewhere.start(broker.url, { "nats.storage": "memory" });
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await broker.kill();
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(0);
    await broker.start();
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
  }, 120_000);

  it.each(["the collector", "the gateway"])(
    "are shown as not synced while %s is cut off, and go on from the history",
    async (side) => {
      const broker = await startBroker();
      const proxy = await DeafProxy.start(broker.port);
      atEnd(() => proxy.close());
      const isCollector = side === "the collector";
      const { machine, reader } = await startMachine(isCollector ? proxy.url : broker.url);
      const elsewhere = await Elsewhere.start(isCollector ? broker.url : proxy.url);
      await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
      proxy.cut();
      await expect.poll(() => Object.keys(elsewhere.hashes).length, { timeout: 15_000, interval: 20 }).toBe(0);
      await pause(6000);
      proxy.mend();
      await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
      await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
      expect(elsewhere.counts).toMatchObject({ gaps: 0, differences: 0 });
    },
    120_000,
  );

  it("are shown as not synced while the broker is heard and stores nothing, and go on when it does again", async () => {
    const broker = await startBroker();
    const { machine, reader } = await startMachine(broker.url);
    const elsewhere = await Elsewhere.start(broker.url);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await limitMessages(broker.url, 1);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, { timeout: 15_000, interval: 20 }).toBe(0);
    await pause(4000);
    expect(elsewhere.hashes).toEqual({});
    expect(machine.synced(reader)).toHaveLength(2);
    expect(elsewhere.receiver.connection).toMatchObject({ isConnected: true, disconnects: 0 });
    await limitMessages(broker.url, -1);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
    expect(elsewhere.counts).toMatchObject({ gaps: 0, differences: 0, resets: 2, interruptions: 2 });
    const [publisher] = elsewhere.receiver.exchanges.flatMap(({ publishers }) => publishers);
    expect(publisher?.figures).toMatchObject({ reconnects: 0, lostDeltas: 0 });
    // It asked again four times a second at most.
    expect(publisher?.figures.rewinds).toSatisfy((rewinds: number) => rewinds > 2 && rewinds < 100);
  }, 60_000);

  it("are carried by the collector whose records are stored, and not synced without it", async () => {
    const denied = '{ deny: ["alphapulse.v1.*.*.delta", "alphapulse.v1.*.*.trade"] }';
    const users = `{ user: whole, password: tests }, { user: mute, password: tests, permissions { publish: ${denied} } }`;
    const broker = await startBroker({ settings: `authorization { users: [ ${users} ] }` });
    const urlOf = (user: string) => broker.url.replace("nats://", `nats://${user}:tests@`);
    const elsewhere = await Elsewhere.start(urlOf("whole"));
    const mute = await startMachine(urlOf("mute"));
    await expect.poll(() => elsewhere.receiver.exchanges[0]?.publishers.length, PATIENCE).toBe(1);
    await expect.poll(() => elsewhere.receiver.exchanges[0]?.freshSources, PATIENCE).toEqual([]);
    const machine = new Machine(mute.machine.emulator);
    const collector = machine.publish("kraken", urlOf("whole"));
    const reader = await readerOf(machine, "kraken");
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expect.poll(() => elsewhere.counts.events, PATIENCE).toBeGreaterThan(50);
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
    machine.emulator.resume();
    collector.child.kill("SIGKILL");
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(0);
    await pause(4000);
    expect(elsewhere.hashes).toEqual({});
    expect(mute.machine.synced(mute.reader)).toHaveLength(2);
  }, 60_000);

  it("are whole again when the ring forgot what the broker had not stored", async () => {
    const broker = await startBroker();
    const { machine, reader, collector } = await startMachine(broker.url, {
      rate: 400,
      words: ["--set=segment.delta_capacity=1024", "--set=segment.trade_capacity=1024"],
    });
    const elsewhere = await Elsewhere.start(broker.url);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    const before = elsewhere.counts.events;
    await broker.kill();
    await pause(4000);
    await broker.start();
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expect.poll(() => elsewhere.counts.events, PATIENCE).toBeGreaterThan(before + 100);
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
    expect(elsewhere.counts.gaps).toBeGreaterThan(0);
    expect(collector.child.exitCode).toBe(null);
  }, 120_000);

  it("reach clients of several gateways alike; one that was stopped for longer than the history is repaired", async () => {
    const broker = await startBroker();
    const { machine, reader } = await startMachine(broker.url, { rate: 200, words: ["--set=nats.history_seconds=2"] });
    const gateways = [gatewayFrom(broker.url), gatewayFrom(broker.url)];
    const [first, second] = await Promise.all(gateways.map((gateway) => clientOf(gateway, BOTH)));
    await expect.poll(() => Object.keys(second?.hashes() ?? {}).length, PATIENCE).toBe(2);
    gateways[0]?.child.kill("SIGSTOP");
    await pause(5000);
    gateways[0]?.child.kill("SIGCONT");
    await pause(500);
    await expect.poll(() => Object.keys(first?.hashes() ?? {}).length, PATIENCE).toBe(2);
    await expectSameBooks(() => first?.hashes() ?? {}, { machine, readers: [reader] });
    await expectSameBooks(() => second?.hashes() ?? {}, { machine, readers: [reader] });
    const { instruments } = await health(first?.url ?? "");
    expect(instruments.map(({ instrument }) => instrument).sort()).toEqual(BOTH);
    expect(gateways.map(({ stderr }) => stderr())).toEqual(["", ""]);
    for (const { child, ended } of gateways) {
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    }
  }, 120_000);

  it("need the right password where the broker asks for one", async () => {
    const broker = await startBroker({ settings: 'authorization { user: "ap", password: "a secret of tests" }' });
    const { machine, reader } = await startMachine(broker.url, {
      words: ["--set=nats.user=ap", "--set=nats.password=a secret of tests"],
    });
    await expect(Elsewhere.start(broker.url, { "nats.user": "ap", "nats.password": "another" })).rejects.toThrow(
      /^Cannot use the broker: .*uthorization.*, was nats:\/\/127\.0\.0\.1:\d+$/i,
    );
    const url = broker.url.replace("nats://", "nats://ap:a%20secret%20of%20tests@");
    const elsewhere = await Elsewhere.start(url);
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expectSameBooks(() => elsewhere.hashes, { machine, readers: [reader] });
  }, 60_000);
});
