/**
 * Two machines as the network sees them: collectors in network namespaces of their own, the gateway in another, and
 * nothing between them but a real broker. Broker killed, link cut for ten seconds, one of two collectors killed.
 * Bad case: no right to make namespaces, or no nats-server; skipped by name.
 */
import { describe, expect, it } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { connect } from "../../src/client/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { hasNatsServer } from "../support/nats_server.ts";
import { hasNamespaces, NetworkNamespace } from "../support/network_namespace.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { atEnd, gatewayUrl, health, PATIENCE, type Program, runProgram } from "./mapped_rig.ts";
import { expectSameBooks, Machine, QUICK, readerOf, startBroker } from "./nats_rig.ts";

const LINK_CUT_MS = 10_000;
const STALE_MS = 4000;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function namespace(number: number): NetworkNamespace {
  const made = new NetworkNamespace(number);
  atEnd(() => made.close());
  return made;
}

describe.skipIf(!hasNatsServer || !hasNamespaces)("collectors and a gateway in network namespaces", () => {
  it("hold the same books through broker death, a cut link and the death of a collector", async () => {
    const [one, other, far] = [namespace(1), namespace(2), namespace(3)];
    const emulator = await startEmulator({
      exchanges: ["kraken"],
      source: { kind: "market", rate: 40 },
      seed: 5,
      host: "0.0.0.0",
    });
    atEnd(() => emulator.close());
    const broker = await startBroker({ host: "0.0.0.0" });
    const machines = [new Machine(emulator), new Machine(emulator)] as const;
    const collect = (index: number): Program => {
      const side = index === 0 ? one : other;
      const { websocket, rest } = emulator.endpoints.kraken;
      const seen = (url: string) => url.replace(/\/\/[^:/]+/, `//${side.here}`);
      return runProgram([
        ...side.prefix,
        process.execPath,
        assetPath("main.js"),
        "collect",
        "--exchange=kraken",
        `--set=exchanges.kraken.websocket_urls=${seen(websocket)}`,
        `--set=exchanges.kraken.rest_url=${seen(rest)}`,
        `--directory=${machines[index]?.directory}`,
        `--publish=nats://${side.here}:${broker.port}`,
        "--log-level=error",
        ...QUICK,
      ]);
    };
    const collectors = [collect(0), collect(1)];
    const from = `nats://${far.here}:${broker.port}`;
    // A collector that starves for a moment on a slow machine is no dead one.
    const settings = [`--set=nats.stale_ms=${STALE_MS}`, "--log-level=error"];
    const words = ["gateway", "--port=0", `--host=${far.there}`, `--from=${from}`, ...settings];
    const gateway = runProgram([...far.prefix, process.execPath, assetPath("main.js"), ...words]);
    const url = await gatewayUrl(gateway);
    await expect.poll(async () => (await health(url)).instruments.length, PATIENCE).toBe(2);
    const client = connect(`${url.replace("http", "ws")}/ws`, { WebSocket: WitnessSocket });
    atEnd(() => client.close());
    const names = ["kraken:BTC-USD", "kraken:ETH-USD"];
    const books = names.map((name) => client.book(name));
    const hashes = () =>
      Object.fromEntries(books.flatMap((book, index) => (book.state === "synced" ? [[names[index], book.hash]] : [])));
    const synced = async () =>
      (await health(url)).instruments.filter(({ state, replica }) => state === "synced" && replica.synced).length;
    await expect.poll(synced, PATIENCE).toBe(2);

    await broker.kill();
    await expect.poll(synced, PATIENCE).toBe(0);
    await broker.start();
    await expect.poll(synced, PATIENCE).toBe(2);

    // Clients reach the gateway through the same cable here: it is the collectors' side that is cut.
    one.cut();
    other.cut();
    await pause(LINK_CUT_MS);
    expect(await synced()).toBe(0);
    one.mend();
    other.mend();
    await expect.poll(synced, PATIENCE).toBe(2);

    collectors[0]?.child.kill("SIGKILL");
    for (const until = Date.now() + STALE_MS + 2000; Date.now() < until; await pause(50)) {
      expect(await synced()).toBe(2);
    }
    const reader = await readerOf(machines[1], "kraken");
    await expectSameBooks(hashes, { machine: machines[1], readers: [reader] });
    const failures = (await health(url)).instruments.flatMap(({ replica }) => Object.values(replica.failures));
    expect(failures.every((count) => count === 0)).toBe(true);
  }, 180_000);
});
