/**
 * How far an instrument's book can be trusted: its state and, when synced, by what assurance; otherwise why not and for
 * how long. A book that failed a check behind the exchange, in the gateway or in this page, is not called synced either.
 * Bad case: a state that this build does not know is shown by its own word, in the colour of trouble.
 */
import { useSyncExternalStore } from "react";
import type { ReasonWord } from "../model/states.ts";
import { type Cell, useCell } from "./cell.ts";
import { ageText, words } from "./display_text.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { InstrumentStatus } from "./market_feed.ts";

const ASSURANCES: Readonly<Record<string, string>> = {
  sequence: "every lost message shows in the exchange's sequence numbers",
  checksum: "each message carries a checksum of the best ten levels, and it held",
  inferred: "the exchange offers no proof: judged by trade ids, heartbeats and crossing",
  none: "the exchange gives no means to check the book",
};

const REASONS: Readonly<Record<ReasonWord, string>> = {
  none: "no reason given",
  connecting: "connecting to the exchange",
  waiting_snapshot: "waiting for a snapshot",
  gap: "a message was lost, its sequence number is missing",
  checksum: "the exchange's checksum did not hold",
  crossed: "the best bid was above the best ask",
  trade_gap: "a trade was lost, its number is missing",
  heartbeat_ahead: "a heartbeat told of a trade that never came",
  unreadable_frame: "a frame could not be read",
  disconnected: "the connection is lost",
  overflow: "a number is too large",
  rescaled: "the exchange changed its precision",
  limit: "the book outgrew a limit",
  silent: "the exchange is silent",
  maintenance: "the exchange is under maintenance",
  refused: "the exchange refused the subscription",
  audit: "the book differed from the exchange's own",
  drift: "the exchange's messages changed their form",
  removed: "the instrument was removed, nobody collects it now",
  stopped: "the collector was stopped",
};

/** A chip: `synced · checksum`, or the state in a warning colour. */
export function StateBadge({ instrument }: { instrument: InstrumentStore }) {
  const { state, assurance, trading } = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  if (state !== "synced" || isDoubted) {
    return <span className="badge trouble">{state === "synced" ? "checking" : words(state)}</span>;
  }
  return (
    <span className="badge" data-assurance={assurance} title={ASSURANCES[assurance] ?? assurance}>
      synced<span className="assurance"> · {words(assurance)}</span>
      {trading === "open" || trading === "unknown" ? null : <span className="trading">{trading}</span>}
    </span>
  );
}

/** A line that says why a book is not synced and since when; nothing when it is. */
export function Trouble({ instrument, nowSeconds }: { instrument: InstrumentStore; nowSeconds: Cell<number> }) {
  const status = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  const now = useCell(nowSeconds);
  const why = troubleText(status, isDoubted);
  if (why === "") {
    return null;
  }
  const { state, sinceMs } = status;
  return (
    <p className="trouble_line">
      Not synced: {why}
      {sinceMs > 0 && state !== "synced" ? `, for ${ageText(now - sinceMs / 1000)}` : ""}
    </p>
  );
}

/** Why a book is not to be trusted at this moment; empty when it is synced. */
export function troubleText({ state, reason }: InstrumentStatus, isDoubted: boolean): string {
  if (state === "synced") {
    return isDoubted ? "this copy of the book is fetched again" : "";
  }
  return reason === "unknown" || reason === "none" ? words(state) : REASONS[reason];
}

/** How long a state has lasted; a dash when that is unknown. */
export function Since({ sinceMs, nowSeconds }: { sinceMs: number; nowSeconds: Cell<number> }) {
  const text = useSyncExternalStore(nowSeconds.subscribe, () => sinceText(sinceMs, nowSeconds.get()));
  return <span title={sinceMs > 0 ? new Date(sinceMs).toLocaleString() : ""}>{text}</span>;
}

function sinceText(sinceMs: number, nowSeconds: number): string {
  return sinceMs > 0 ? ageText(nowSeconds - sinceMs / 1000) : "–";
}

/** What the assurance of an instrument means, in a sentence. */
export function assuranceText(assurance: string): string {
  return ASSURANCES[assurance] ?? assurance;
}
