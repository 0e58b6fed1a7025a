/**
 * Handles of the client against a scripted server: what they show, how views and subscriptions are shared, what is told
 * when, and how a loop that lags is served. Bad case: handles that are closed and made again at once; the server hears
 * nothing of it.
 */
import { describe, expect, it } from "vitest";
import type { BookHandle, BookState } from "../../src/client/mod.ts";
import { BTC, HASH, head, levelHash, orderbook, SYNCED, start, WHOLE_BOOK } from "./client_follow.ts";

const VIEW = { depth: 10, rateMs: 250 };

function opened() {
  const made = start();
  made.scene.open();
  return made;
}

/** Lets what handles want be gathered. */
async function gathered(): Promise<void> {
  await Promise.resolve();
}

function acknowledge({ scene }: ReturnType<typeof start>, view: object = {}): void {
  const message = { type: "subscribed", id: 1, channel: "book", instrument: BTC, alias: 4 };
  scene.say({ ...message, ...WHOLE_BOOK, ...view, ...SYNCED });
}

function delta(changes: string[][], hash: number, versions: [string, string] = ["7", "8"]) {
  const [previousVersion, version] = versions;
  return { type: "orderbook_delta", previousVersion, ...head(version, hash), changes };
}

describe("A book handle", () => {
  it("shows best prices, levels, mid, spread and sums as exact decimals when the book is there", () => {
    const made = opened();
    const book = made.client.book(BTC);
    expect([book.state, book.version, book.mid, book.bbo]).toEqual([
      "loading",
      "0",
      undefined,
      { bid: null, ask: null },
    ]);
    acknowledge(made);
    made.scene.say(orderbook());
    expect(book).toMatchObject({
      state: "synced",
      version: "7",
      provedVersion: "7",
      hash: HASH,
      mid: "10.75",
      spread: "0.5",
      bbo: { bid: ["10.5", "1.25"], ask: ["11", "2"] },
    });
    expect([book.bids.length, [...book.asks], book.bids.at(1)]).toEqual([1, [["11", "2"]], undefined]);
    expect([book.bids.numbers(0), book.asks.quantityAt("11"), book.asks.quantityAt("12")]).toEqual([
      [10.5, 1.25],
      "2",
      "0",
    ]);
  });

  it("sums what a quantity takes, rounds its excess digits up and refuses what is none", () => {
    const made = opened();
    const book = made.client.book(BTC);
    acknowledge(made);
    const hash = (levelHash(0, 105, 125) + levelHash(1, 110, 200) + levelHash(1, 120, 300)) >>> 0;
    made.scene.say({
      ...orderbook(hash),
      asks: [
        ["11", "2"],
        ["12", "3"],
      ],
    });
    expect(book.depthTo("4").asks).toEqual({
      quantity: "4",
      price: "12",
      cost: "46",
      average: 11.5,
      levels: 2,
      isFilled: true,
    });
    expect(book.depthTo(1.001).bids).toMatchObject({ quantity: "1.01", price: "10.5", isFilled: true });
    expect(book.depthTo("9").bids).toMatchObject({ quantity: "1.25", isFilled: false, levels: 1 });
    expect(() => book.depthTo("-1")).toThrow(RangeError);
    expect(() => book.depthTo(0)).toThrow(RangeError);
  });

  it("shares one subscription with others of its view and ends it with the last", async () => {
    const made = opened();
    const [one, other] = [made.client.book(BTC, VIEW), made.client.book(BTC, VIEW)];
    made.client.book(BTC, { policy: "lossless" });
    await gathered();
    const sent = made.scene.socket.sent;
    expect(sent).toMatchObject([
      { op: "subscribe", channels: ["book"], instruments: [BTC], ...VIEW },
      { op: "subscribe", channels: ["book"], instruments: [BTC], policy: "lossless" },
    ]);
    one.close();
    await gathered();
    expect(sent).toHaveLength(2);
    other.close();
    await gathered();
    expect(sent.at(-1)).toMatchObject({ op: "unsubscribe", channels: ["book"], instruments: [BTC], ...VIEW });
    expect([one.state, other.state]).toEqual(["closed", "closed"]);
  });

  it("is gathered with others into one message, and into none when it is closed and made again", async () => {
    const made = opened();
    const names = Array.from({ length: 50 }, (_, index) => `kraken:A${index}-USD`);
    const handles = names.map((name) => made.client.book(name));
    await gathered();
    expect(made.scene.socket.sent).toMatchObject([{ op: "subscribe", instruments: names }]);
    handles[0]?.close();
    made.client.book(names[0] ?? "");
    await gathered();
    expect(made.scene.socket.sent).toHaveLength(1);
  });

  it("keeps views of one instrument apart", () => {
    const made = opened();
    const [whole, top] = [made.client.book(BTC), made.client.book(BTC, VIEW)];
    acknowledge(made);
    acknowledge(made, { ...VIEW, alias: 5 });
    made.scene.say(orderbook());
    expect([whole.state, top.state]).toEqual(["synced", "loading"]);
    made.scene.say({ ...orderbook(), ...VIEW, version: "900" });
    expect([whole.version, top.version]).toEqual(["7", "900"]);
  });

  it("tells changes and states once each", () => {
    const made = opened();
    const book = made.client.book(BTC);
    const told: string[] = [];
    book.on("state", (state: BookState) => told.push(state));
    const end = book.on("change", ({ records, isSnapshot }) => told.push(`${records} ${isSnapshot}`));
    acknowledge(made);
    made.scene.say(orderbook());
    const hash = (levelHash(0, 105, 125) + levelHash(1, 111, 1)) >>> 0;
    made.scene.say(
      delta(
        [
          ["ask", "11", "0"],
          ["ask", "11.1", "0.01"],
        ],
        hash,
      ),
    );
    made.scene.say({ type: "status", instrument: BTC, ...SYNCED, state: "resyncing", reason: "gap" });
    end();
    made.scene.say(delta([["ask", "11.1", "0.02"]], (levelHash(0, 105, 125) + levelHash(1, 111, 2)) >>> 0, ["8", "9"]));
    made.client.close();
    expect(told).toEqual(["synced", "0 true", "1 false", "unsynced", "closed"]);
  });

  it("gives a loop that lags the last of several changes, and ends it when it is closed", async () => {
    const made = opened();
    const book = made.client.book(BTC);
    acknowledge(made);
    made.scene.say(orderbook());
    const loop = book[Symbol.asyncIterator]();
    expect((await loop.next()).value?.version).toBe("7");
    const hash = (lots: number) => (levelHash(0, 105, lots) + levelHash(1, 110, 200)) >>> 0;
    for (let version = 7; version < 12; version++) {
      made.scene.say(
        delta([["bid", "10.5", String(version)]], hash(version * 100), [String(version), String(version + 1)]),
      );
    }
    const { value } = (await loop.next()) as { value: BookHandle };
    expect([value.version, value.bbo.bid?.[1]]).toEqual(["12", "11"]);
    const next = loop.next();
    book.close();
    expect((await next).done).toBe(true);
  });
});

describe("A client that lost its connection", () => {
  it("asks to go on from the epoch and version of each book, and goes on when the server agrees", () => {
    const made = opened();
    const { scene, client } = made;
    client.subscribe({ channels: ["book"], instruments: ["*:*"] });
    const book = client.book(BTC);
    acknowledge(made);
    scene.say(orderbook());
    scene.lose();
    expect([book.state, book.bbo.bid]).toEqual(["connecting", ["10.5", "1.25"]]);
    scene.pass(10_000);
    scene.open();
    expect(scene.socket.sent).toMatchObject([
      { op: "subscribe", channels: ["book"], resume: { [BTC]: { epoch: 77, version: "7" } } },
    ]);
    acknowledge(made, { resumed: true });
    expect(book.state).toBe("unsynced");
    const hash = (levelHash(0, 105, 300) + levelHash(1, 110, 200)) >>> 0;
    scene.say(delta([["bid", "10.5", "3"]], hash, ["7", "40"]));
    expect([book.state, book.version, client.counts.resumes, client.counts.resyncs]).toEqual(["synced", "40", 1, 0]);
  });

  it("takes a snapshot when the server does not agree, and asks for one when the update does not fit", () => {
    const made = opened();
    const book = made.client.book(BTC);
    made.client.subscribe({ channels: ["book"], instruments: [BTC] });
    acknowledge(made);
    made.scene.say(orderbook());
    made.scene.lose();
    made.scene.pass(10_000);
    made.scene.open();
    acknowledge(made, { resumed: true });
    made.scene.say(delta([], HASH, ["6", "9"]));
    expect(made.scene.socket.sent.at(-1)).toMatchObject({ op: "subscribe", reason: "chain" });
    expect(made.scene.socket.sent.at(-1)).not.toHaveProperty("resume");
    acknowledge(made);
    made.scene.say(orderbook());
    expect(book.state).toBe("synced");
  });

  it("asks for many books again together when they fail together", () => {
    const made = opened();
    const names = Array.from({ length: 300 }, (_, index) => `kraken:A${index}-USD`);
    made.client.subscribe({ channels: ["book"], instruments: names });
    for (const [index, instrument] of names.entries()) {
      const message = {
        type: "subscribed",
        id: 1,
        channel: "book",
        instrument,
        alias: index,
        ...WHOLE_BOOK,
        ...SYNCED,
      };
      made.scene.say(message);
    }
    const before = made.scene.socket.sent.length;
    for (const instrument of names) {
      made.scene.say({ ...orderbook(1), instrument });
    }
    made.scene.pass(1000);
    const asked = made.scene.socket.sent.slice(before);
    expect(asked.map(({ instruments }) => (instruments as string[]).length)).toEqual([1, 256, 43]);
    expect(asked.flatMap(({ instruments }) => instruments)).toEqual(names);
  });

  it("does not offer a book that the server said leads nowhere", () => {
    const made = opened();
    made.client.subscribe({ channels: ["book"], instruments: [BTC] });
    acknowledge(made);
    made.scene.say(orderbook());
    made.scene.say({ type: "reset", instrument: BTC, channel: "book", depth: 0, rateMs: 0, reason: "integrity" });
    made.scene.lose();
    made.scene.pass(10_000);
    made.scene.open();
    expect(made.scene.socket.sent[0]).not.toHaveProperty("resume");
  });
});

describe("Handles of trades, best prices and status", () => {
  it("tell values to listeners and loops and end their subscriptions", async () => {
    const { scene, client } = opened();
    const [trades, bbo, status] = [client.trades(BTC), client.bbo(BTC), client.status(BTC)];
    await gathered();
    expect(scene.socket.sent.map(({ channels }) => channels)).toEqual([["trades"], ["bbo"], ["status"]]);
    const loop = trades[Symbol.asyncIterator]();
    for (const version of ["1", "2"]) {
      scene.say({ type: "trade", instrument: BTC, id: version, version, price: "1", quantity: "2" });
    }
    scene.say({ type: "bbo", instrument: BTC, version: "9", synced: true, bid: ["1", "2"], ask: null });
    scene.say({ type: "subscribed", id: 1, channel: "status", instrument: BTC, alias: 4, ...WHOLE_BOOK, ...SYNCED });
    expect([(await loop.next()).value?.id, (await loop.next()).value?.id, trades.last?.id]).toEqual(["1", "2", "2"]);
    expect([bbo.last?.bid, status.last?.state]).toEqual([["1", "2"], "synced"]);
    trades.close();
    await gathered();
    expect(scene.socket.sent.at(-1)).toMatchObject({ op: "unsubscribe", channels: ["trades"] });
    expect((await loop.next()).done).toBe(true);
  });

  it("answer with the instruments when the server lists them", async () => {
    const { scene, client } = start();
    const listed = client.instruments();
    scene.open();
    await gathered();
    await gathered();
    expect(scene.socket.sent).toMatchObject([{ op: "instruments" }]);
    scene.say({ type: "instruments", id: 1, instruments: [] });
    expect(await listed).toEqual([]);
  });
});
