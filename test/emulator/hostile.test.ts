/**
 * Clients that break the protocol, the limits of HTTP, or the options: an error or a close, never a crash.
 * Bad case: a message that is valid JSON of the wrong shape; hence the samples near real requests.
 */
import { connect as connectTcp } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_INSTRUMENTS, type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { ConfigError } from "../../src/errors.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { Client, rest, until } from "./client.ts";

function startAll(): Promise<Emulator> {
  const instruments = DEFAULT_INSTRUMENTS.map((one) => ({ ...one, levels: 100 }));
  return startEmulator({ exchanges: EXCHANGE_IDS, seed: 3, source: { kind: "market", rate: 1, instruments } });
}

describe("The emulator", () => {
  test("survives messages that no client should send", async () => {
    const emulator = await startAll();
    const json = fc.json({ maxDepth: 4 });
    const near = fc.record(
      {
        type: fc.constantFrom("subscribe", "unsubscribe"),
        method: fc.constantFrom("subscribe", "unsubscribe", "ping", "SUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY"),
        product_ids: fc.oneof(fc.array(fc.constantFrom("BTC-USD", "__proto__", "")), fc.jsonValue()),
        channels: fc.oneof(
          fc.array(fc.oneof(fc.constantFrom("matches", "level2_batch"), fc.jsonValue())),
          fc.jsonValue(),
        ),
        params: fc.oneof(
          fc.record(
            {
              channel: fc.constantFrom("book", "trade"),
              symbol: fc.oneof(fc.constant(["BTC/USD"]), fc.jsonValue()),
              depth: fc.jsonValue(),
            },
            { requiredKeys: [] },
          ),
          fc.jsonValue(),
        ),
        id: fc.jsonValue(),
        req_id: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const messages = fc.sample(
      fc.oneof(
        json,
        near.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      { numRuns: 400, seed: 20_260_707 },
    );
    for (const exchange of EXCHANGE_IDS) {
      // Binance cuts whoever sends more than five a second.
      const batch = exchange.startsWith("binance") ? 4 : 40;
      for (let index = 0; index < messages.length; index += batch) {
        const client = await Client.open(emulator.endpoints[exchange].websocket);
        for (const message of messages.slice(index, index + batch)) {
          client.send(message);
        }
        client.socket.send(Buffer.from([0xff, 0xfe, 0x00]));
        const sent = index + batch + index / batch + 1;
        await until(() => (emulator.counts()[exchange]?.clientMessages ?? 0) >= sent || client.closeCode !== undefined);
        expect(client.closeCode).toBeUndefined();
        client.close();
      }
      expect(emulator.counts()[exchange]?.clientMessages).toBe(messages.length + messages.length / batch);
      const sane = await Client.open(emulator.endpoints[exchange].websocket);
      expect(sane.closeCode).toBeUndefined();
      sane.close();
    }
    await emulator.close();
  });

  test("closes a client whose message is too large", async () => {
    const emulator = await startAll();
    for (const exchange of EXCHANGE_IDS) {
      const client = await Client.open(emulator.endpoints[exchange].websocket);
      client.send("x".repeat(1_000_000));
      await until(() => client.closeCode === 1009 || client.closeCode === 1006);
    }
    await emulator.close();
  });

  test("answers broken HTTP and survives cut sockets", async () => {
    const emulator = await startAll();
    const port = Number(new URL(emulator.endpoints.kraken.rest).port);
    for (const bytes of [
      "nonsense\r\n\r\n",
      "GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /v2 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      "GET /%zz?%=% HTTP/1.1\r\nHost: a\r\n\r\n",
    ]) {
      const answer = await new Promise<string>((resolve) => {
        const socket = connectTcp(port, "127.0.0.1", () => socket.write(bytes));
        socket.once("data", (chunk) => {
          resolve(chunk.toString());
          socket.destroy();
        });
        socket.on("error", () => resolve("cut"));
      });
      expect(answer).toMatch(/^(HTTP\/1\.1 (4|2)\d\d|cut)/);
    }
    expect((await rest(emulator, "binance", "/ws/%zz")).status).toBe(404);
    const client = await Client.open(`${emulator.endpoints.binance.websocket}/ws/%zz`);
    client.close();
    expect((await rest(emulator, "kraken", "/0/public/SystemStatus")).status).toBe(200);
    await emulator.close();
  });

  test("closes within a second with clients connected, and frees its ports", async () => {
    const emulator = await startAll();
    const opened = await Promise.all(
      EXCHANGE_IDS.map((exchange) => Client.open(emulator.endpoints[exchange].websocket)),
    );
    const port = Number(new URL(emulator.endpoints.kraken.rest).port);
    const startedAt = performance.now();
    await emulator.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await until(() => opened.every((client) => client.closeCode !== undefined));
    const again = await startEmulator({ exchanges: ["kraken"], source: { kind: "market" }, ports: { kraken: port } });
    expect(again.endpoints.kraken.rest).toBe(`http://127.0.0.1:${port}`);
    const taken = startEmulator({
      exchanges: ["binance", "kraken"],
      source: { kind: "market" },
      ports: { kraken: port },
    });
    await expect(taken).rejects.toThrow(ConfigError);
    await again.close();
  });

  test("refuses options that do not fit", async () => {
    const market = { kind: "market" } as const;
    await expect(startEmulator({ exchanges: [], source: market })).rejects.toThrow(ConfigError);
    await expect(startEmulator({ exchanges: ["kraken", "kraken"], source: market })).rejects.toThrow(ConfigError);
    await expect(startEmulator({ exchanges: ["kraken"], source: { ...market, rate: 0 } })).rejects.toThrow("rate");
    const capture = { kind: "capture", files: ["x"], exchange: "binance" } as const;
    await expect(startEmulator({ exchanges: ["kraken"], source: { ...capture, speed: 1 } })).rejects.toThrow(
      ConfigError,
    );
    await expect(startEmulator({ exchanges: ["binance"], source: { ...capture, speed: -1 } })).rejects.toThrow("speed");
    const emulator = await startEmulator({ exchanges: ["kraken"], source: market });
    expect(() => emulator.endpoints.binance).toThrow(RangeError);
    expect(Object.keys(emulator.endpoints)).toEqual(["kraken"]);
    expect(() => emulator.trueBook("kraken", "NOPE")).toThrow(RangeError);
    await emulator.close();
  });
});
