/**
 * One instrument's trades as the gateway serves them: encoded once per batch for all binary clients (and for the figure of
 * what that costs, whether anybody listens or not), as one JSON message each for the others, the last ones remembered.
 * Bad case: trades recorded under an id that was retired meanwhile; their ticks and lots are scaled to the exponents
 * that clients know by now, exactly, and counted as unscalable when i64 does not hold them.
 */
import { FRAME_BYTES_MAX, TRADE_BYTES, TRADE_PRICE, TRADE_QUANTITY, TRADE_VERSION } from "../../assembly/layout.ts";
import { type Exponents, tradeMessage } from "../wire/json_form.ts";
import { powerOfTen, readCount } from "../wire/numbers.ts";
import type { Outlet } from "./outlet.ts";
import { RecentTrades } from "./recent_trades.ts";
import { marketTopic } from "./topics.ts";
import { framedBytes } from "./websocket_bytes.ts";
import type { Workspace } from "./workspace.ts";

const INT64_MAX = 2n ** 63n - 1n;

/** What a trade view is made from. */
export type TradeViewOptions = {
  readonly instrument: string;
  readonly alias: number;
  readonly outlet: Outlet;
  /** Trades that are remembered. */
  readonly remembered: number;
};

/** The trades of one instrument. */
export class TradeView {
  /** Trades seen since start. */
  count = 0;
  /** Encoded bytes since start, each frame counted once. */
  wireBytes = 0;
  /** The same whether anybody listened or not, with WebSocket headers. */
  encodedBytes = 0;
  /** Trades that could not be shown, because they do not fit the later exponents. */
  unscalable = 0;
  /** The last ones. */
  readonly recent: RecentTrades;
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  readonly #instrument: string;
  readonly #alias: number;
  readonly #topics: { binary: string; json: string };

  constructor(workspace: Workspace, options: TradeViewOptions) {
    this.recent = new RecentTrades({ capacity: options.remembered, instrument: options.instrument });
    this.#workspace = workspace;
    this.#outlet = options.outlet;
    this.#instrument = options.instrument;
    this.#alias = options.alias;
    this.#topics = {
      binary: marketTopic(options.alias, "trades", "binary"),
      json: marketTopic(options.alias, "trades", "json"),
    };
  }

  /**
   * Sends trades of this instrument.
   * @param records addresses of trade records, in ring order; they may be changed
   * @param options.recorded the exponents under which they were recorded
   * @param options.shown the exponents that clients know
   */
  publish(records: readonly number[], { recorded, shown }: { recorded: Exponents; shown: Exponents }): void {
    const readable = records.filter((record) => this.#rescale(record, recorded, shown));
    this.unscalable += records.length - readable.length;
    for (const record of readable) {
      this.recent.add(this.#workspace.bytes, record, shown);
    }
    if (this.#outlet.listeners(this.#topics.json) > 0) {
      for (const record of readable) {
        const message = tradeMessage(this.#workspace.memory, record, { ...shown, instrument: this.#instrument });
        this.#outlet.publish(this.#topics.json, JSON.stringify(message));
      }
    }
    this.#publishBinary(readable);
  }

  /** A frame numbers its trades from the first one on: it ends where the versions jump. */
  #publishBinary(records: readonly number[]): void {
    let group: number[] = [];
    for (const record of records) {
      const last = group.at(-1);
      if (last !== undefined && this.#version(record) !== this.#version(last) + 1) {
        this.#publishGroup(group);
        group = [];
      }
      group.push(record);
    }
    if (group.length > 0) {
      this.#publishGroup(group);
    }
  }

  #publishGroup(records: readonly number[]): void {
    const { kernel, bytes, groupedTrades, frame } = this.#workspace;
    for (const [index, record] of records.entries()) {
      bytes.copyWithin(groupedTrades + index * TRADE_BYTES, record, record + TRADE_BYTES);
    }
    const length = kernel.tradesEncode(this.#alias, groupedTrades, records.length, frame, FRAME_BYTES_MAX);
    if (length === 0 && records.length > 1) {
      const middle = records.length >> 1;
      this.#publishGroup(records.slice(0, middle));
      this.#publishGroup(records.slice(middle));
      return;
    }
    this.encodedBytes += framedBytes(length);
    if (this.#outlet.listeners(this.#topics.binary) === 0) {
      return;
    }
    this.wireBytes += length;
    this.#outlet.publish(this.#topics.binary, this.#workspace.view(frame, length));
  }

  #version(record: number): number {
    return readCount(this.#workspace.memory, record + TRADE_VERSION);
  }

  #rescale(record: number, recorded: Exponents, shown: Exponents): boolean {
    const pricePower = shown.priceExponent - recorded.priceExponent;
    const quantityPower = shown.quantityExponent - recorded.quantityExponent;
    if (pricePower === 0 && quantityPower === 0) {
      return true;
    }
    if (pricePower < 0 || quantityPower < 0) {
      return false;
    }
    const { memory } = this.#workspace;
    const price = memory.getBigInt64(record + TRADE_PRICE, true) * powerOfTen(pricePower);
    const quantity = memory.getBigInt64(record + TRADE_QUANTITY, true) * powerOfTen(quantityPower);
    if (price > INT64_MAX || quantity > INT64_MAX) {
      return false;
    }
    memory.setBigInt64(record + TRADE_PRICE, price, true);
    memory.setBigInt64(record + TRADE_QUANTITY, quantity, true);
    return true;
  }
}
