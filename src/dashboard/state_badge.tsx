/**
 * How far an instrument's book can be trusted: its state and, when synced, by what assurance; otherwise why not and for
 * how long. Bad case: a state that this build does not know is shown by its own word, in the colour of trouble.
 */
import { type Cell, useCell } from "./cell.ts";
import { ageText, words } from "./display_text.ts";
import type { InstrumentStore } from "./instrument_store.ts";

const ASSURANCES: Readonly<Record<string, string>> = {
  sequence: "every lost message shows in the exchange's sequence numbers",
  checksum: "each message carries a checksum of the best ten levels, and it held",
  inferred: "the exchange offers no proof: judged by trade ids, heartbeats and crossing",
  none: "the exchange gives no means to check the book",
};

/** A chip: `synced · checksum`, or the state in a warning colour. */
export function StateBadge({ instrument }: { instrument: InstrumentStore }) {
  const { state, assurance } = useCell(instrument.status);
  if (state !== "synced") {
    return <span className="badge trouble">{words(state)}</span>;
  }
  return (
    <span className="badge" data-assurance={assurance} title={ASSURANCES[assurance] ?? assurance}>
      synced<span className="assurance"> · {words(assurance)}</span>
    </span>
  );
}

/** A line that says why a book is not synced and since when; nothing when it is. */
export function Trouble({ instrument, nowSeconds }: { instrument: InstrumentStore; nowSeconds: Cell<number> }) {
  const { state, reason, sinceMs } = useCell(instrument.status);
  const now = useCell(nowSeconds);
  if (state === "synced") {
    return null;
  }
  const why = reason === "" || reason === "none" ? words(state) : words(reason);
  return (
    <p className="trouble_line">
      Not synced: {why}
      {sinceMs > 0 ? `, for ${ageText(now - sinceMs / 1000)}` : ""}
    </p>
  );
}

/** What the assurance of an instrument means, in a sentence. */
export function assuranceText(assurance: string): string {
  return ASSURANCES[assurance] ?? assurance;
}
