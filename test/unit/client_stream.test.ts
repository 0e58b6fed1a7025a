/**
 * The stream client against a scripted server: fake socket, fake clock, real kernel. Hashes come from an oracle of their
 * own. Bad case: a fake that is kinder than a real socket; the integration tests use real ones.
 */
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/mod.ts";
import { BTC, follow, HASH, head, levelHash, orderbook, SYNCED, start, WHOLE_BOOK } from "./client_follow.ts";

const BOOK = { instrument: BTC, depth: 0, rateMs: 0 };

describe("StreamClient", () => {
  it("asks for the subprotocol of its form and for what was subscribed before it opened", () => {
    const { scene, client } = start({ form: "binary" });
    client.subscribe({ channels: ["book", "stats"], instruments: [BTC] });
    expect(scene.socket.sent).toEqual([]);
    scene.open();
    expect(scene.socket.protocols).toEqual(["alphapulse.v1.bin"]);
    expect(scene.socket.binaryType).toBe("arraybuffer");
    expect(scene.socket.sent).toMatchObject([
      { op: "subscribe", channels: ["book"], instruments: [BTC] },
      { op: "subscribe", channels: ["stats"] },
    ]);
  });

  it("keeps the book and says what it says", () => {
    const { client, events } = follow();
    expect(client.peek(BTC)).toEqual({
      ...SYNCED,
      instrument: BTC,
      isSynced: true,
      isCrossed: false,
      version: "7",
      provedVersion: "7",
      hash: HASH,
      bidLevels: 1,
      askLevels: 1,
      bids: [["10.5", "1.25"]],
      asks: [["11", "2"]],
      eventAtNs: "1",
      receivedAtNs: "2",
    });
    expect(events.at(-1)).toEqual({ type: "book", ...BOOK, version: "7", records: 0, isSnapshot: true });
  });

  it("applies a delta that follows and counts its records", () => {
    const { scene, client, events } = follow();
    const hash = (levelHash(0, 105, 125) + levelHash(1, 111, 1)) >>> 0;
    const changes = [
      ["ask", "11", "0"],
      ["ask", "11.1", "0.01"],
    ];
    scene.say({ type: "orderbook_delta", previousVersion: "7", ...head("9", hash), changes });
    expect(client.peek(BTC)).toMatchObject({ version: "9", asks: [["11.1", "0.01"]], isSynced: true });
    expect(events.at(-1)).toMatchObject({ type: "book", records: 2, isSnapshot: false });
  });

  it.each([
    ["its previous version is another", { previousVersion: "6" }, "chain"],
    ["its hash is another", { hash: 1 }, "hash"],
    ["a price has more digits than the instrument", { changes: [["bid", "10.55", "1"]] }, "malformed"],
    ["a quantity is no number", { changes: [["bid", "10.4", "one"]] }, "malformed"],
  ])("drops the book and asks for it again when of a delta %s", (_what, change, reason) => {
    const { scene, client, events } = follow();
    const delta = { type: "orderbook_delta", previousVersion: "7", ...head("8", HASH), changes: [] };
    scene.say({ ...delta, ...change });
    expect(client.peek(BTC)).toBeUndefined();
    expect(events.at(-1)).toEqual({ type: "resync", ...BOOK, reason });
    expect(client.counts.resyncs).toBe(1);
    expect(scene.socket.sent.at(-1)).toMatchObject({ op: "subscribe", channels: ["book"], instruments: [BTC] });
    scene.say({ ...delta, previousVersion: "8" });
    expect(client.counts.resyncs).toBe(1);
    scene.say({ type: "subscribed", id: 2, channel: "book", instrument: BTC, alias: 4, ...WHOLE_BOOK, ...SYNCED });
    scene.say(orderbook());
    expect(client.peek(BTC)?.isSynced).toBe(true);
  });

  it("waits longer and longer before it asks again when snapshots keep failing", () => {
    const { scene } = follow();
    const asked = () => scene.socket.sent.length;
    const delays: number[] = [];
    for (let round = 0; round < 4; round++) {
      const before = asked();
      scene.say(orderbook(1));
      const startedAt = scene.nowMs;
      while (asked() === before) {
        scene.pass(5);
      }
      delays.push(Math.round((scene.nowMs - startedAt) / 25) * 25);
    }
    expect(delays).toEqual([0, 200, 375, 750]);
  });

  it("refuses a snapshot whose exponents are not those of the acknowledgement", () => {
    const { scene, client, events } = follow();
    scene.say({ ...orderbook(), priceExponent: 0 });
    expect(client.peek(BTC)).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ type: "resync", reason: "exponents" });
  });

  it("says that nothing is synced while the connection is down, and asks for everything when it is back", () => {
    const { scene, client, events } = follow();
    scene.lose(1000);
    expect(client.peek(BTC)).toMatchObject({ isSynced: false, state: "connecting", reason: "disconnected" });
    expect(client.state).toBe("waiting");
    scene.pass(10_000);
    expect(scene.sockets).toHaveLength(2);
    scene.open();
    expect(scene.socket.sent).toMatchObject([{ op: "subscribe", channels: ["book"], instruments: [BTC] }]);
    expect(client.peek(BTC)?.isSynced).toBe(false);
    scene.say({ type: "subscribed", id: 2, channel: "book", instrument: BTC, alias: 9, ...WHOLE_BOOK, ...SYNCED });
    scene.say(orderbook());
    expect(client.peek(BTC)?.isSynced).toBe(true);
    expect(events.filter((event) => event.type === "connection").map(({ state }) => state)).toEqual([
      "open",
      "waiting",
      "connecting",
      "open",
    ]);
  });

  it("hears nothing of a socket that it gave up", () => {
    const { scene, client } = follow();
    const [old] = scene.sockets;
    scene.lose();
    expect([old?.isClosed, old?.onmessage, old?.onclose]).toEqual([true, null, null]);
    scene.pass(10_000);
    expect(scene.sockets).toHaveLength(2);
    expect(client.counts.reconnects).toBe(1);
  });

  it("waits up to twice as long after each failure, with jitter and a cap, until a connection held", () => {
    const { scene, client } = start();
    const delays: number[] = [];
    for (let round = 0; round < 8; round++) {
      scene.lose();
      const [before, startedAt] = [scene.sockets.length, scene.nowMs];
      while (scene.sockets.length === before) {
        scene.pass(1);
      }
      delays.push(scene.nowMs - startedAt);
    }
    expect(delays).toEqual([125, 250, 500, 1000, 2000, 4000, 5000, 5000]);
    scene.open();
    scene.pass(6000);
    scene.random = 0;
    scene.lose();
    scene.pass(0);
    expect(scene.sockets).toHaveLength(10);
    expect(client.counts.reconnects).toBe(9);
  });

  it("tries again when an attempt gets no answer, and not after it opened", () => {
    const { scene, client } = start({ form: "binary" });
    scene.pass(9999);
    expect(client.state).toBe("connecting");
    scene.pass(1);
    expect(client.state).toBe("waiting");
    const abandoned = scene.socket;
    scene.pass(250);
    expect([scene.sockets.length, abandoned.isClosed]).toEqual([2, true]);
    scene.open();
    scene.pass(10_000);
    expect(client.state).toBe("open");
  });

  it("pings when nothing arrives and gives the connection up when nothing comes back", () => {
    const { scene, client } = start();
    scene.open();
    scene.pass(15_000);
    expect(scene.socket.sent).toMatchObject([{ op: "ping" }]);
    scene.say({ type: "pong", id: 1 });
    scene.pass(15_000);
    expect(client.state).toBe("open");
    scene.pass(15_000);
    expect(client.state).toBe("waiting");
  });

  it("counts trades that are missing between two by their versions", () => {
    const { scene, client, events } = follow();
    for (const version of ["3", "4", "7"]) {
      scene.say({ type: "trade", instrument: BTC, id: version, version, price: "1", quantity: "2" });
    }
    expect(client.counts.tradesMissed).toBe(2);
    expect(events.filter((event) => event.type === "trade")).toHaveLength(3);
  });

  it("asks again for what another request still names when one is taken back", () => {
    const { scene, client } = start();
    scene.open();
    client.subscribe({ channels: ["book"], instruments: ["*:*"] });
    client.subscribe({ channels: ["book"], instruments: [BTC] });
    client.unsubscribe({ channels: ["book"], instruments: ["*:*"] });
    expect(scene.socket.sent.slice(-2)).toMatchObject([
      { op: "unsubscribe", instruments: ["*:*"] },
      { op: "subscribe", instruments: [BTC] },
    ]);
  });

  it("gives events to loops, drops the oldest when a loop lags, and ends them when closed", async () => {
    const { scene, client } = start({ eventsMax: 2 });
    const events = client.events();
    const first = events.next();
    scene.open();
    for (const id of [1, 2, 3]) {
      scene.say({ type: "trade", instrument: BTC, id: String(id), version: String(id), price: "1", quantity: "1" });
    }
    expect((await first).value).toMatchObject({ type: "connection", state: "open" });
    client.close();
    const rest: string[] = [];
    for await (const event of events) {
      rest.push(event.type === "trade" ? event.id : event.type);
    }
    expect(client.counts.droppedEvents).toBeGreaterThan(0);
    expect(rest).toHaveLength(2);
    expect(scene.timers).toBe(0);
    expect(client.state).toBe("closed");
  });

  it("throws when the runtime has no WebSocket", () => {
    const known = globalThis.WebSocket;
    Reflect.deleteProperty(globalThis, "WebSocket");
    expect(() => connect("ws://test/ws")).toThrow(TypeError);
    if (known !== undefined) {
      globalThis.WebSocket = known;
    }
  });
});
