/**
 * What a gateway that reads a broker shows of it: the connection, what was read and merged, and what the collectors say of
 * their publishing; before, while and after the broker is dead. Bad case: a collector that nobody hears; its figures go with it.
 */
import { randomBytes } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { PublisherFigures } from "../../src/model/broker_figures.ts";
import { decodeMessage, STREAMS } from "../../src/nats/message.ts";
import { decodeFigures } from "../../src/nats/publisher_figures.ts";
import { hasNatsServer } from "../support/nats_server.ts";
import { atEnd, gatewayUrl, health, PATIENCE } from "./mapped_rig.ts";
import { gatewayFrom, Machine, startBroker, startExchanges } from "./nats_rig.ts";

/** Values by name and labels. */
async function metricsOf(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("alphapulse_nats_"));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice("alphapulse_nats_".length, at), Number(line.slice(at + 1))];
    }),
  );
}

async function reasonsOf(url: string): Promise<string[]> {
  const { reasons } = (await (await fetch(`${url}/ready`)).json()) as { reasons: string[] };
  return reasons;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Puts noise on every subject that is ours, and on some that are nearly. */
async function disturb(url: string): Promise<void> {
  const connection = await connect({ servers: url.replace("nats://", "") });
  const words = [
    "kraken.BTC-USD.delta",
    "kraken.%ZZ.trade",
    "nobody.BTC-USD.snapshot",
    "kraken.beat",
    "kraken.BTC-USD.want",
  ];
  for (let index = 0; index < 500; index++) {
    connection.publish(`alphapulse.v1.${words[index % words.length]}`, randomBytes(index));
  }
  await connection.flush();
  await connection.close();
}

describe.skipIf(!hasNatsServer)("metrics of a gateway that reads a broker", () => {
  it("tell connection, records, lag and publishers, and that the broker is away when it is", async () => {
    const broker = await startBroker();
    await broker.kill();
    const machine = new Machine(await startExchanges(["kraken"], 40));
    const gateway = gatewayFrom(broker.url);
    machine.publish("kraken", broker.url);
    const url = await gatewayUrl(gateway);
    await expect.poll(async () => (await metricsOf(url)).attempts_total, PATIENCE).toBeGreaterThan(1);
    expect(await metricsOf(url)).toMatchObject({ connected: 0, messages_total: 0 });
    expect(await reasonsOf(url)).toEqual(["the broker is away", "no segment"]);
    await broker.start();

    const deltas = 'records_total{exchange="kraken",ring="deltas"}';
    const sent = 'publisher_records_total{exchange="kraken",collector="0",ring="deltas"}';
    await expect.poll(async () => (await metricsOf(url))[deltas], PATIENCE).toBeGreaterThan(50);
    const resets = 'merged_total{exchange="kraken",kind="reset"}';
    await expect.poll(async () => (await metricsOf(url))[resets], PATIENCE).toBe(2);
    await expect.poll(async () => (await reasonsOf(url)).length, PATIENCE).toBe(0);
    const before = await metricsOf(url);
    expect(before).toMatchObject({
      connected: 1,
      disconnects_total: 0,
      missed_total: 0,
      'collectors{exchange="kraken"}': 1,
      'refused_total{exchange="kraken"}': 0,
      'merged_total{exchange="kraken",kind="gap"}': 0,
      [resets]: 2,
      'publisher_lost_records_total{exchange="kraken",collector="0",ring="deltas"}': 0,
      'publisher_reconnects_total{exchange="kraken",collector="0"}': 0,
    });
    expect(before[sent]).toBeGreaterThan(0);
    expect(before.bytes_total).toBeGreaterThan(before.messages_total ?? 0);
    expect(before['publisher_bytes_total{exchange="kraken",collector="0"}']).toBeGreaterThan(before[sent] ?? 0);

    await disturb(broker.url);
    await expect
      .poll(async () => (await metricsOf(url))['refused_total{exchange="unknown"}'], PATIENCE)
      .toBeGreaterThanOrEqual(300);
    expect(await reasonsOf(url)).toEqual([]);
    expect((await metricsOf(url))['merged_total{exchange="kraken",kind="interruption"}']).toBe(0);

    await broker.kill();
    await expect.poll(async () => (await reasonsOf(url)).length, PATIENCE).toBeGreaterThanOrEqual(3);
    expect(await reasonsOf(url)).toContain("the broker is away");
    expect(await health(url)).toMatchObject({ broker: { isConnected: false, disconnects: 1 } });
    await broker.start();
    await expect.poll(async () => (await reasonsOf(url)).length, PATIENCE).toBe(0);
    const rewinds = 'publisher_rewinds_total{exchange="kraken",collector="0"}';
    await expect.poll(async () => (await metricsOf(url))[rewinds], PATIENCE).toBeGreaterThan(0);
    const after = await metricsOf(url);
    expect(after).toMatchObject({
      connected: 1,
      disconnects_total: 1,
      reconnects_total: 1,
      'publisher_reconnects_total{exchange="kraken",collector="0"}': 1,
      'merged_total{exchange="kraken",kind="interruption"}': 2,
    });
    expect(after.attempts_total).toBeGreaterThan(before.attempts_total ?? 0);
    const rest = (await (await fetch(`${url}/api/v1/system/health`)).json()) as { reasons: string[] };
    expect(rest.reasons).not.toContain("the broker is away");
  }, 60_000);

  it("count every byte that is under way, of all messages of a turn", async () => {
    const broker = await startBroker();
    const machine = new Machine(await startExchanges(["kraken"], 200));
    const connection = await connect({ servers: broker.url.replace("nats://", "") });
    atEnd(() => connection.close());
    const told: PublisherFigures[] = [];
    connection.subscribe("alphapulse.v1.kraken.beat", {
      callback: (_, { data }) => {
        const message = decodeMessage(data);
        const figures = typeof message === "string" ? undefined : decodeFigures(message.body);
        told.push(...(figures === undefined ? [] : [figures]));
      },
    });
    machine.publish("kraken", broker.url);
    await expect.poll(() => told.at(-1)?.deltas, PATIENCE).toBeGreaterThan(50);
    // Both streams go on storing and say nothing of it: until the first wait for that is over, nothing under way ends.
    const manager = await jetstreamManager(connection);
    await manager.streams.update(STREAMS.records.name, { no_ack: true });
    await manager.streams.update(STREAMS.snapshots.name, { no_ack: true });
    await pause(300);
    const before = told.at(-1);
    await pause(1000);
    const after = told.at(-1);
    expect(after?.rewinds).toBe(before?.rewinds);
    const sent = (after?.bytes ?? 0) - (before?.bytes ?? 0);
    expect(sent).toBeGreaterThan(1000);
    expect((after?.underWay ?? 0) - (before?.underWay ?? 0)).toBe(sent);
  }, 60_000);
});
