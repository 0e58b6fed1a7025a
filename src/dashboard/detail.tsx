/**
 * One instrument in depth: a deep ladder with running totals, the chart, the trades, and the facts of its book.
 * Bad case: the address names an instrument that the gateway does not have: the view says so and links back.
 */
import { useEffect, useRef } from "react";
import { mountBestPrices } from "./best_prices.ts";
import { useCell } from "./cell.ts";
import { exchangeName } from "./display_text.ts";
import { mountFacts } from "./facts.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { mountDeepLadder } from "./ladder.ts";
import type { MarketStore } from "./market_store.ts";
import { UpdateRate } from "./overview.tsx";
import { usePainter } from "./painting.ts";
import { PriceChart } from "./price_chart.tsx";
import { assuranceText, StateBadge, Trouble } from "./state_badge.tsx";
import { mountTape } from "./tape.ts";

const DETAIL_LEVELS = 18;
const DETAIL_TRADES = 40;

/** The detail view of the instrument that the address names. */
export function Detail({ name, store }: { name: string; store: MarketStore }) {
  const groups = useCell(store.groups);
  const instrument = store.instrument(name);
  return (
    <div className="detail">
      <a className="back" href="#/">
        ← All instruments
      </a>
      {instrument === undefined ? (
        <p className="nothing">
          {groups.length === 0 ? "Waiting for the list of instruments…" : `There is no instrument ${name} here.`}
        </p>
      ) : (
        <InstrumentDetail key={instrument.instrument} instrument={instrument} store={store} />
      )}
    </div>
  );
}

function InstrumentDetail({ instrument, store }: { instrument: InstrumentStore; store: MarketStore }) {
  const best = usePainter<HTMLDivElement>(instrument, mountBestPrices);
  const ladder = usePainter<HTMLDivElement>(instrument, mountDeepLadder, DETAIL_LEVELS);
  const tape = usePainter<HTMLOListElement>(instrument, mountTape, DETAIL_TRADES);
  const facts = usePainter<HTMLDListElement>(instrument, mountFacts);
  const heading = useRef<HTMLHeadingElement>(null);
  const { state, assurance } = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <article className="instrument" data-live={state === "synced" && !isDoubted}>
      <header className="detail_head panel">
        <h2 ref={heading} tabIndex={-1}>
          {instrument.pair} <small>{exchangeName(instrument.exchange)}</small>
        </h2>
        <StateBadge instrument={instrument} />
        <UpdateRate instrument={instrument} />
        <div className="best_prices" ref={best} />
      </header>
      <section className="panel deep" aria-label="Order book">
        <h3>Order book</h3>
        <p className="columns" aria-hidden="true">
          <span>Price</span>
          <span>Quantity</span>
          <span>Total</span>
        </p>
        <div className="book">
          <div className="ladder deep_ladder" ref={ladder} />
          <Trouble instrument={instrument} nowSeconds={store.nowSeconds} />
        </div>
      </section>
      <section className="panel chart_panel" aria-label="Price">
        <h3>Price, last 5 minutes</h3>
        <PriceChart store={instrument} />
      </section>
      <section className="panel facts_panel" aria-label="Book">
        <h3>Book</h3>
        <dl className="facts" ref={facts} />
        <p className="explain">{state === "synced" ? `Assurance “${assurance}”: ${assuranceText(assurance)}.` : ""}</p>
      </section>
      <section className="panel trades_panel" aria-label="Trades">
        <h3>Trades</h3>
        <ol className="tape" ref={tape} aria-label="Last trades, newest first" />
      </section>
    </article>
  );
}
