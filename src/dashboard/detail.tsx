/**
 * One instrument in depth: ladder, heat map of the book over time, depth chart, price and spread, trades, facts.
 * Bad case: the address names an instrument that the gateway does not have: the view says so and links back.
 */
import { useEffect, useRef } from "react";
import { mountBestPrices } from "./best_prices.ts";
import { useCell } from "./cell.ts";
import { mountDepthChart } from "./depth_chart.ts";
import { exchangeName } from "./display_text.ts";
import { mountFacts } from "./facts.ts";
import { HeatSection } from "./heat_section.tsx";
import type { InstrumentStore } from "./instrument_store.ts";
import { mountDeepLadder } from "./ladder.ts";
import type { MarketStore } from "./market_store.ts";
import { paintWhileVisible, usePainter } from "./painting.ts";
import { PriceChart, SpreadChart } from "./price_chart.tsx";
import { instrumentHref, pairHref } from "./route.ts";
import { assuranceText, StateBadge, Trouble } from "./state_badge.tsx";
import { mountTape } from "./tape.ts";
import { useWatch } from "./use_watch.ts";

const DETAIL_LEVELS = 13;
const DETAIL_TRADES = 50;

/** The detail view of the instrument that the address names. */
export function Detail({ name, store }: { name: string; store: MarketStore }) {
  const groups = useCell(store.groups);
  const instrument = store.instrument(name);
  if (instrument === undefined) {
    return (
      <p className="nothing">
        {groups.length === 0 ? "Waiting for the list of instruments…" : `There is no instrument ${name} here. `}
        <a href="#/">All instruments</a>
      </p>
    );
  }
  return <InstrumentDetail key={instrument.instrument} instrument={instrument} store={store} />;
}

function InstrumentDetail({ instrument, store }: { instrument: InstrumentStore; store: MarketStore }) {
  useWatch(store, instrument.instrument);
  const facts = usePainter<HTMLDListElement>(instrument, mountFacts);
  const tape = usePainter<HTMLOListElement>(instrument, mountTape, DETAIL_TRADES);
  const { state, assurance } = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  return (
    <article className="instrument" data-live={state === "synced" && !isDoubted}>
      <DetailHead instrument={instrument} store={store} />
      <Book instrument={instrument} store={store} />
      <HeatSection instrument={instrument} />
      <DepthSection instrument={instrument} />
      <section className="panel chart_panel" aria-label="Price and spread">
        <h3>Price and spread, last 5 minutes</h3>
        <PriceChart store={instrument} />
        <SpreadChart store={instrument} />
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

function DetailHead({ instrument, store }: { instrument: InstrumentStore; store: MarketStore }) {
  const best = usePainter<HTMLDivElement>(instrument, mountBestPrices);
  const heading = useRef<HTMLHeadingElement>(null);
  const groups = useCell(store.groups);
  const others = groups.find((group) => group.pair === instrument.pair)?.instruments ?? [];
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <header className="detail_head panel">
      <a className="back" href="#/" aria-label="Back to all instruments">
        ←
      </a>
      <h2 ref={heading} tabIndex={-1}>
        {instrument.pair} <small>{exchangeName(instrument.exchange)}</small>
      </h2>
      <StateBadge instrument={instrument} />
      <nav className="venues" aria-label={`${instrument.pair} elsewhere`}>
        {others
          .filter((other) => other !== instrument)
          .map((other) => (
            <a key={other.instrument} href={instrumentHref(other.instrument)}>
              {exchangeName(other.exchange)}
            </a>
          ))}
        {others.length > 1 ? <a href={pairHref(instrument.pair)}>compare {others.length}</a> : null}
      </nav>
      <div className="best_prices" ref={best} />
    </header>
  );
}

function Book({ instrument, store }: { instrument: InstrumentStore; store: MarketStore }) {
  const ladder = usePainter<HTMLDivElement>(instrument, mountDeepLadder, DETAIL_LEVELS);
  return (
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
  );
}

function DepthSection({ instrument }: { instrument: InstrumentStore }) {
  const chart = useRef<HTMLDivElement>(null);
  const reading = useRef<HTMLOutputElement>(null);
  useEffect(() => {
    const [element, output] = [chart.current, reading.current];
    if (element === null || output === null) {
      return;
    }
    const stop = paintWhileVisible(element, instrument, mountDepthChart(element, instrument, output));
    return () => {
      stop();
      element.replaceChildren();
    };
  }, [instrument]);
  return (
    <section className="panel depth_panel" aria-label="Depth">
      <header className="panel_head">
        <h3>Depth</h3>
        <output className="depth_reading" ref={reading} />
      </header>
      <div className="depth" ref={chart} role="img" aria-label="Cumulative quantity by price" />
    </section>
  );
}
