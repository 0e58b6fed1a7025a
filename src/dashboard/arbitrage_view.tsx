/**
 * Arbitrage: the opportunities that are open with size, profit and lifetime, and the ones that closed last. Everything is
 * as the gateway reckoned it, exact in the titles; the fees that it reckoned with stand beside it.
 * Bad case: nothing crosses, which is the usual case; the view says so, and that it looks.
 */
import type { ClosedOpportunity, Opportunity, OpportunityLeg } from "../wire/protocol.ts";
import type { ArbitrageShown } from "./arbitrage_store.ts";
import { useCell } from "./cell.ts";
import { ageText, clockText, delayText, exchangeName, wholeText, words } from "./display_text.ts";
import { moveAmongRows } from "./keyboard.ts";
import type { MarketStore } from "./market_store.ts";
import { instrumentHref } from "./route.ts";

/** Digits of a sum that are shown; all of them stand in the title. */
const SHOWN_DECIMALS = 6;
const LONG_MS = 60_000;

type Column<Row> = { head: string; title: string; text: (row: Row) => string; exact?: (row: Row) => string };

const SUMS: readonly Column<Opportunity>[] = [
  {
    head: "Size",
    title: "Executable on all legs",
    text: ({ quantity, base }) => `${shortText(quantity)} ${base}`,
    exact: ({ quantity, base }) => `${quantity} ${base}`,
  },
  {
    head: "Profit",
    title: "After the taker fees of all legs",
    text: ({ profit, currency }) => `${shortText(profit)} ${currency}`,
    exact: ({ profit, currency }) => `${profit} ${currency}`,
  },
  { head: "bps", title: "Profit in basis points of what is paid first", text: ({ profitBps }) => profitBps },
  { head: "Best bps", title: "The largest so far", text: ({ profitBpsMax }) => profitBpsMax },
];

/** The view. */
export function ArbitrageView({ store }: { store: MarketStore }) {
  const shown = useCell(store.arbitrage.shown);
  const nowMs = useCell(store.nowSeconds) * 1000 + shown.aheadMs;
  const lifetime: Column<Opportunity> = {
    head: "Open for",
    title: "Since it opened",
    text: ({ openedAtMs }) => (nowMs - openedAtMs < 1000 ? "< 1 s" : ageText((nowMs - openedAtMs) / 1000)),
  };
  return (
    <div className="arbitrage" data-state={shown.state}>
      <h2>Arbitrage</h2>
      <section className="panel tabular rows" aria-label="Open opportunities">
        <h3>Open now{shown.openCount > 0 ? `: ${wholeText(shown.openCount)}` : ""}, net of taker fees</h3>
        {shown.open.length === 0 ? (
          <p className="explain" role="status">
            {emptyText(shown)}
          </p>
        ) : (
          <Table rows={shown.open} opportunityOf={(row) => row} columns={[...SUMS, lifetime]} />
        )}
      </section>
      <section className="panel tabular rows" aria-label="Closed opportunities">
        <h3>Closed last</h3>
        {shown.recent.length === 0 ? (
          <p className="explain">None yet.</p>
        ) : (
          <Table rows={shown.recent} opportunityOf={({ opportunity }) => opportunity} columns={CLOSED} />
        )}
      </section>
    </div>
  );
}

const CLOSED: readonly Column<ClosedOpportunity>[] = [
  ...SUMS.map(
    ({ head, title, text, exact }): Column<ClosedOpportunity> => ({
      head,
      title,
      text: ({ opportunity }) => text(opportunity),
      ...(exact === undefined ? {} : { exact: ({ opportunity }: ClosedOpportunity) => exact(opportunity) }),
    }),
  ),
  {
    head: "Lasted",
    title: "From opening to closing",
    text: ({ atMs, opportunity }) => lifetimeText(atMs - opportunity.openedAtMs),
  },
  { head: "Closed", title: "When", text: ({ atMs }) => clockText(atMs) },
  { head: "Because", title: "Why it closed", text: ({ reason }) => words(reason) },
];

type TableProps<Row> = {
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  opportunityOf: (row: Row) => Opportunity;
};

function Table<Row>({ rows, columns, opportunityOf }: TableProps<Row>) {
  return (
    <table onKeyDown={moveAmongRows}>
      <thead>
        <tr>
          <th scope="col">Trades</th>
          {columns.map(({ head, title }) => (
            <th scope="col" key={head} title={title}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const opportunity = opportunityOf(row);
          return (
            <tr key={opportunity.id} data-opportunity={opportunity.id} data-kind={opportunity.kind}>
              <th scope="row">
                <Route opportunity={opportunity} />
              </th>
              {columns.map(({ head, text, exact }) => (
                <td key={head} data-head={head} title={exact?.(row)}>
                  {text(row)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The trades in their order; the first names where the row leads. */
function Route({ opportunity: { legs, cut } }: { opportunity: Opportunity }) {
  return (
    <a href={instrumentHref(legs[0]?.instrument ?? "")} className="route">
      {legs.map((leg) => (
        <span key={leg.instrument} className="leg" data-action={leg.action} title={legTitle(leg)}>
          {leg.action} {nameOf(leg)} <b>{leg.averagePrice}</b>
        </span>
      ))}
      {cut ? <small title="The walk ended at the levels that the gateway looks at">or more</small> : null}
    </a>
  );
}

function nameOf({ instrument }: OpportunityLeg): string {
  const [exchange = "", pair = ""] = instrument.split(":");
  return `${pair} ${exchangeName(exchange)}`;
}

function legTitle({ quantity, amount, averagePrice, worstPrice, feeBps, version, hash }: OpportunityLeg): string {
  return [
    `${quantity} for ${amount}`,
    `average ${averagePrice}, last ${worstPrice}`,
    `fee ${feeBps} bps`,
    `book version ${version}, hash ${hash.toString(16).padStart(8, "0")}`,
  ].join("\n");
}

function emptyText({ state }: ArbitrageShown): string {
  if (state === "refused") {
    return "This gateway does not look for arbitrage: it is switched off in its configuration.";
  }
  return state === "waiting" ? "Waiting for the gateway…" : "Nothing crosses after fees at this moment.";
}

function lifetimeText(ms: number): string {
  return ms < LONG_MS ? delayText(ms) : ageText(ms / 1000);
}

/** A decimal cut off for showing. */
function shortText(text: string): string {
  const point = text.indexOf(".");
  return point < 0 ? text : text.slice(0, point + 1 + SHOWN_DECIMALS).replace(/\.?0+$/, "") || "0";
}
