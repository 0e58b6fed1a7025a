/**
 * What leaves for clients, record by record: a binary trade frame ends where versions jump, so that a client can count
 * what is missing; a trade recorded before a rescale keeps its value; the best prices of a frame are the book's on both
 * kernels; of any 64 frames of a book one carries its hash; nothing that comes while the loop goes to sleep is left for
 * later. Sockets and the loop's turns are faked.
 * Bad case: a price that fits no i64 at the later exponents; it is counted, not shown wrongly.
 */
import { describe, expect, it } from "vitest";
import {
  AGGRESSOR_BUY,
  BBO_ASK_PRICE,
  BBO_BID_PRICE,
  BBO_BYTES,
  DELTA_BYTES,
  FRAME_FLAG_CHECK,
  IMAGE_OK,
  REPLICA_OK,
  TRADE_AGGRESSOR,
  TRADE_BYTES,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import { BookFrames } from "../../src/gateway/book_frames.ts";
import { BookView } from "../../src/gateway/book_view.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits } from "../../src/gateway/limits.ts";
import { SILENT_LOG } from "../../src/gateway/log.ts";
import { Outlet } from "../../src/gateway/outlet.ts";
import { ReplicaBook } from "../../src/gateway/replica_book.ts";
import { marketTopic } from "../../src/gateway/topics.ts";
import { TradeView } from "../../src/gateway/trade_view.ts";
import type { Connection, Payload } from "../../src/gateway/transport.ts";
import { Workspace } from "../../src/gateway/workspace.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { orderBookMessage } from "../../src/wire/json_form.ts";
import { Market } from "../integration/gateway_market.ts";
import { BTC, wideBook } from "../integration/gateway_rig.ts";
import { freshKernel, Rig } from "../support/rig.ts";

const ALIAS = 3;
const EXPONENTS = { priceExponent: 2, quantityExponent: 1 };

/** A client that is on the topics that it joined and hears nothing by itself. */
const LISTENER: Connection = {
  id: 1,
  protocol: "",
  remote: "test",
  send: () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  bufferedBytes: () => 0,
  close: () => undefined,
};

function scene(form: "binary" | "json") {
  const { kernel } = freshKernel("twin");
  const workspace = new Workspace(kernel, 16);
  const outlet = new Outlet();
  const sent: Payload[] = [];
  outlet.attach({
    port: 1,
    publish: (_topic, payload) => {
      sent.push(typeof payload === "string" ? payload : payload.slice());
    },
    close: () => Promise.resolve(),
  });
  outlet.join(LISTENER, marketTopic(ALIAS, "trades", form));
  const trades = new TradeView(workspace, { instrument: "kraken:BTC-USD", alias: ALIAS, outlet, remembered: 16 });
  /** Writes trade records of these versions. @returns their addresses */
  const write = (...rows: { version: bigint; price?: bigint }[]): number[] =>
    rows.map(({ version, price = 10_050n }, index) => {
      const record = workspace.trades + index * TRADE_BYTES;
      const { memory } = workspace;
      memory.setBigInt64(record + TRADE_PRICE, price, true);
      memory.setBigInt64(record + TRADE_QUANTITY, 15n, true);
      memory.setBigUint64(record + TRADE_VERSION, version, true);
      memory.setUint8(record + TRADE_AGGRESSOR, AGGRESSOR_BUY);
      memory.setUint8(record + TRADE_ID_LENGTH, 1);
      memory.setUint8(record + TRADE_ID, 0x37);
      return record;
    });
  /** Versions of the trades in a frame. */
  const versions = (payload: Payload): bigint[] => {
    const frame = kernel.arenaAllocate(4096);
    const out = kernel.arenaAllocate(16 * TRADE_BYTES);
    workspace.bytes.set(payload as Uint8Array, frame);
    const count = kernel.tradesDecode(frame, payload.length, out, 16);
    return Array.from({ length: count }, (_, index) =>
      workspace.memory.getBigUint64(out + index * TRADE_BYTES + TRADE_VERSION, true),
    );
  };
  return { trades, sent, write, versions };
}

describe("trades for binary clients", () => {
  it("keep their versions, in a frame of their own behind every jump, when some are missing", () => {
    const { trades, sent, write, versions } = scene("binary");
    const records = write({ version: 5n }, { version: 6n }, { version: 9n }, { version: 10n }, { version: 20n });
    trades.publish(records, { recorded: EXPONENTS, shown: EXPONENTS });
    expect(sent.map(versions)).toEqual([[5n, 6n], [9n, 10n], [20n]]);
  });
});

describe("trades for JSON clients", () => {
  it("keep their value when they were recorded before a rescale", () => {
    const { trades, sent, write } = scene("json");
    const shown = { priceExponent: 4, quantityExponent: 3 };
    trades.publish(write({ version: 1n }), { recorded: EXPONENTS, shown });
    expect(JSON.parse(String(sent[0]))).toMatchObject({ price: "100.5", quantity: "1.5", version: "1" });
  });

  it("are left out and counted when they do not fit the later exponents", () => {
    const { trades, sent, write } = scene("json");
    const shown = { priceExponent: 18, quantityExponent: 1 };
    trades.publish(write({ version: 1n, price: 10n ** 12n }), { recorded: EXPONENTS, shown });
    expect([sent.length, trades.unscalable]).toEqual([0, 1]);
  });
});

/** A producer of one book, and a workspace on its kernel. */
function produced(name: "wasm" | "twin") {
  const rig = new Rig(name, "coinbase_exchange", ["BTC-USD"]);
  const encode = (value: object) => new Uint8Array(Buffer.from(JSON.stringify({ product_id: "BTC-USD", ...value })));
  rig.frame(encode({ type: "snapshot", bids: [["99.5", "1"]], asks: [["100.25", "2"]] }), 1);
  const view = new SegmentView(rig.buffer, rig.segment.address);
  const entry = view.instruments().at(-1);
  if (entry === undefined) {
    throw new Error("Cannot test: the snapshot opened no instrument");
  }
  return { rig, encode, view, entry, workspace: new Workspace(rig.kernel, 16) };
}

/** A producer of one book and a replica of it, on one kernel. */
function followed(name: "wasm" | "twin") {
  const { rig, encode, view, entry, workspace } = produced(name);
  const book = new ReplicaBook(workspace, ALIAS);
  book.bind(entry.id);
  expect(rig.kernel.imageLoad(book.address, view.address, entry.address)).toBe(IMAGE_OK);
  const ring = view.address + view.header.deltaRingOffset;
  /** One more event in the replica. */
  const move = (event: number) => {
    const from = view.deltaTail;
    rig.frame(encode({ type: "l2update", changes: [["buy", "99.25", String(event + 1)]] }), 2 + event);
    expect(rig.kernel.replicaApply(book.address, ring + from * DELTA_BYTES)).toBe(REPLICA_OK);
  };
  const follow = { tail: () => view.deltaTail, record: (position: number) => ring + position * DELTA_BYTES };
  return { rig, workspace, book, move, follow };
}

describe("best prices for binary clients", () => {
  for (const name of ["wasm", "twin"] as const) {
    it(`are those of the book when ${name} encodes them`, () => {
      const { rig, workspace, book } = followed(name);
      const { kernel } = rig;
      const length = kernel.bboEncode(book.address, workspace.frame);
      const out = kernel.arenaAllocate(BBO_BYTES);
      expect(kernel.bboDecode(workspace.frame, length, out)).toBe(0);
      const prices = [BBO_BID_PRICE, BBO_ASK_PRICE].map((field) => workspace.memory.getBigInt64(out + field, true));
      expect(prices).toEqual([9950n, 10_025n]);
    });
  }
});

describe("best prices for JSON clients", () => {
  it("are told when the best price or its quantity changes, and not when a deeper level does", () => {
    const { rig, workspace, encode, view, entry } = produced("twin");
    const outlet = new Outlet();
    const sent: string[] = [];
    outlet.attach({
      port: 1,
      publish: (_topic, payload) => sent.push(String(payload)),
      close: () => Promise.resolve(),
    });
    outlet.join(LISTENER, marketTopic(ALIAS, "bbo", "json"));
    const options = { instrument: "coinbase_exchange:BTC-USD", alias: ALIAS, outlet, limits: completeLimits({}) };
    const book = new BookView(workspace, { ...options, now: () => 5 });
    book.replica.bind(entry.id);
    book.replica.exponents = entry;
    expect(rig.kernel.imageLoad(book.replica.address, view.address, entry.address)).toBe(IMAGE_OK);
    book.restart();
    const ring = view.address + view.header.deltaRingOffset;
    const tell = (price: string, size: string) => {
      const from = view.deltaTail;
      rig.frame(encode({ type: "l2update", changes: [["buy", price, size]] }), 2 + from);
      expect(book.apply(ring + from * DELTA_BYTES)).toBe("applied");
      book.flush();
      return sent.splice(0).map((text) => (JSON.parse(text) as { bid: unknown }).bid);
    };
    expect(tell("99.5", "3")).toEqual([["99.5", "3"]]);
    expect(tell("98.25", "3")).toEqual([]);
    expect(tell("99.5", "4")).toEqual([["99.5", "4"]]);
    expect(tell("99.75", "4")).toEqual([["99.75", "4"]]);
  });
});

describe("frames of a book", () => {
  it("carry the hash at least once in any 64 when nothing else asks for it", () => {
    const { workspace, book, move } = followed("twin");
    const frames = new BookFrames(workspace, { book, bytes: 65_536, bytesMax: 65_536 });
    const checked = Array.from({ length: 200 }, (_, event) => {
      move(event);
      return ((frames.take(5)?.[0] ?? 0) & FRAME_FLAG_CHECK) !== 0;
    });
    const places = checked.flatMap((isChecked, index) => (isChecked ? [index] : []));
    const gaps = [...places, checked.length].map((place, index) => place - (places[index - 1] ?? -1));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(64);
    expect(places.length).toBeLessThan(checked.length / 8);
  });
});

describe("the loop of the gateway", () => {
  it("looks once more when a record came while it began to wait", () => {
    const market = new Market(200);
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(5));
    const arena = market.map.reserve("gateway", { bytes: 48 << 20 });
    const kernel = loadKernel({ name: "twin", memory: market.map.memory });
    kernel.arenaInit(arena.address, arena.bytes);
    const turns: (() => void)[] = [];
    const late = [() => producer.update("BTC-USD", [["buy", "999.995", "7"]])];
    const core = new GatewayCore({
      kernel,
      segments: () => [producer.segment],
      limits: completeLimits({ heartbeatStaleMs: 1e9 }),
      now: () => performance.timeOrigin + performance.now(),
      log: SILENT_LOG,
      server: "test",
      transport: "ws",
      // Whoever waits is never woken: the loop itself has to see what came in between.
      waitAsync: () => {
        if (core.book(BTC) !== undefined) {
          late.pop()?.();
        }
        return { async: true, value: new Promise<never>(() => undefined) };
      },
      scheduler: { soon: (task) => turns.push(task), after: () => () => undefined },
    });
    core.start({ port: 1, publish: () => undefined, close: () => Promise.resolve() });
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
    }
    expect(late).toHaveLength(0);
    expect(core.book(BTC)?.bids[0]).toEqual(["999.995", "7"]);
    core.stop();
  });
});

describe("a JSON book", () => {
  it("says that it is not synced when its last record does", () => {
    const { rig, workspace, book, move, follow } = followed("twin");
    const message = () =>
      orderBookMessage(workspace.memory, book.address, { instrument: BTC, depth: 0, rateMs: 0, bids: [], asks: [] });
    move(1);
    expect(message()).toMatchObject({ synced: true, crossed: false });
    const from = follow.tail();
    rig.sync.connection(0).closed(50);
    rig.sync.publish(51);
    expect(rig.kernel.replicaApply(book.address, follow.record(from))).toBe(REPLICA_OK);
    expect(message()).toMatchObject({ synced: false, crossed: false });
  });
});
