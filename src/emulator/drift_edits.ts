/**
 * How an exchange changes the form of its frames without a word: trailing zeros gone, fields renamed, reordered or added,
 * frames of another kind. The values stay true; only their form is another. Pure functions of text.
 * Bad case: a frame that has nothing to change, such as an update without decimals; it leaves as it came.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { FaultKind, FaultOptions } from "./fault_kinds.ts";
import { checksumZero } from "./frame_edits.ts";
import { parseTree, printTree, visitObjects } from "./json_tree.ts";

/** Faults that change the form of all frames from one on. */
export type DriftKind = Extract<
  FaultKind,
  "checksum_zero" | "drift_zeros" | "drift_renamed" | "drift_reordered" | "drift_retyped" | "drift_extra"
>;

type Form = {
  /** The field that holds the levels of an update, and its other name. */
  readonly field: string;
  readonly to: string;
  /** How a book frame says what it is, and what it says instead. */
  readonly kind: RegExp;
  readonly kindTo: string;
};

const BINANCE: Form = { field: "b", to: "bids", kind: /"e":"depthUpdate"/, kindTo: '"e":"depthDelta"' };
const FORMS: Readonly<Record<ExchangeId, Form>> = {
  coinbase_exchange: { field: "changes", to: "updates", kind: /"type":"l2update"/, kindTo: '"type":"l2delta"' },
  kraken: { field: "bids", to: "buys", kind: /"channel":"book"/, kindTo: '"channel":"orderbook"' },
  binance: BINANCE,
  binance_us: BINANCE,
};

/** Decimals that stand as a value: a time of day is followed by something else. */
const DECIMAL = /(?<=[:,["])(\d+)\.(\d+)(?=[",}\]])/g;
/** In front of all other fields, and behind them. */
const EXTRA_FIRST: [string, { token: string }] = ['"extra_first"', { token: '{"a":[1,"2",null],"b":{}}' }];
const EXTRA_LAST: [string, { token: string }] = ['"extra_last"', { token: "3.50" }];

/**
 * A frame in another form.
 * @returns undefined when this frame has nothing to change
 */
export function driftedFrame(
  kind: DriftKind,
  frame: string,
  { exchange, options }: { exchange: ExchangeId; options: FaultOptions },
): string | undefined {
  const text = edited(kind, frame, { form: FORMS[exchange], options });
  return text === frame ? undefined : text;
}

/** A frame of a kind that does not exist. @param near the frame before it: its envelope is taken over */
export function unknownFrame(exchange: ExchangeId, symbol: string, near: string): string {
  const levels = '[["1.00000000","1.00000000"]]';
  switch (exchange) {
    case "coinbase_exchange":
      return `{"type":"l9update","product_id":"${symbol}","changes":[["buy","1.00","1.00000000"]],"epoch":7}`;
    case "kraken":
      return `{"channel":"book9","type":"update","data":[{"symbol":"${symbol}","bids":[{"price":1.0,"qty":1.00000000}],"asks":[]}]}`;
    default: {
      const payload = `{"e":"depth9Update","E":0,"s":"${symbol}","U":1,"u":2,"b":${levels},"a":[]}`;
      const isWrapped = near.startsWith('{"stream":');
      return isWrapped ? `{"stream":"${symbol.toLowerCase()}@depth9","data":${payload}}` : payload;
    }
  }
}

function edited(kind: DriftKind, frame: string, { form, options }: { form: Form; options: FaultOptions }): string {
  switch (kind) {
    case "checksum_zero":
      return checksumZero(frame) ?? frame;
    case "drift_zeros":
      return frame.replace(DECIMAL, (_, whole: string, fraction: string) => {
        const kept = fraction.replace(/0+$/, "");
        return kept === "" ? whole : `${whole}.${kept}`;
      });
    case "drift_renamed":
      return renamed(frame, form, options);
    case "drift_retyped":
      return frame.replace(form.kind, form.kindTo);
    default:
      return rebuilt(kind, frame);
  }
}

function renamed(frame: string, form: Form, options: FaultOptions): string {
  const { field = form.field } = options;
  const to = options.to ?? (field === form.field ? form.to : `${field}_renamed`);
  return frame.replaceAll(`"${field}":`, `"${to}":`);
}

function rebuilt(kind: "drift_reordered" | "drift_extra", frame: string): string {
  const tree = parseTree(frame);
  if (tree === undefined) {
    return frame;
  }
  visitObjects(tree, (object) => {
    object.members = kind === "drift_extra" ? [EXTRA_FIRST, ...object.members, EXTRA_LAST] : object.members.reverse();
  });
  return printTree(tree);
}
