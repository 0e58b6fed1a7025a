/**
 * All instruments at a glance: a group per canonical pair, a card per exchange, so that the same pair on several
 * exchanges stands side by side; the group's head compares the best prices across them.
 * Bad case: prices of books that are not synced are left out of the comparison.
 */
import { useEffect, useRef } from "react";
import { mountBestPrices } from "./best_prices.ts";
import { useCell } from "./cell.ts";
import { mountCrossPrices } from "./cross_prices.ts";
import { exchangeName } from "./display_text.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { mountCompactLadder } from "./ladder.ts";
import type { MarketStore, PairGroup } from "./market_store.ts";
import { usePainter } from "./painting.ts";
import { Sparkline } from "./price_chart.tsx";
import { instrumentHref } from "./route.ts";
import { StateBadge, Trouble } from "./state_badge.tsx";
import { mountTape } from "./tape.ts";

const CARD_LEVELS = 8;
const CARD_TRADES = 3;

/** The grid of cards. */
export function Overview({ store }: { store: MarketStore }) {
  const groups = useCell(store.groups);
  if (groups.length === 0) {
    return <p className="nothing">Waiting for the list of instruments…</p>;
  }
  return (
    <div className="groups">
      {groups.map((group) => (
        <Group key={group.pair} group={group} store={store} />
      ))}
    </div>
  );
}

function Group({ group, store }: { group: PairGroup; store: MarketStore }) {
  const count = group.instruments.length;
  return (
    <section className="group" style={{ flexGrow: count, flexBasis: `${count * 21}rem` }} aria-label={group.pair}>
      <header className="group_head">
        <h2>{group.pair}</h2>
        {count > 1 ? <CrossPrices group={group} /> : null}
      </header>
      <div className="cards">
        {group.instruments.map((instrument) => (
          <Card key={instrument.instrument} instrument={instrument} store={store} />
        ))}
      </div>
    </section>
  );
}

function CrossPrices({ group }: { group: PairGroup }) {
  const ref = useRef<HTMLParagraphElement>(null);
  const { instruments } = group;
  useEffect(() => {
    const element = ref.current;
    if (element === null) {
      return;
    }
    const paint = mountCrossPrices(element, instruments);
    const stops = instruments.map((instrument) => instrument.onFrame(paint));
    return () => {
      for (const stop of stops) {
        stop();
      }
      element.replaceChildren();
    };
  }, [instruments]);
  return <p className="cross_prices" ref={ref} title="Best bid and best ask across these exchanges" />;
}

function Card({ instrument, store }: { instrument: InstrumentStore; store: MarketStore }) {
  const best = usePainter<HTMLDivElement>(instrument, mountBestPrices);
  const ladder = usePainter<HTMLDivElement>(instrument, mountCompactLadder, CARD_LEVELS);
  const tape = usePainter<HTMLOListElement>(instrument, mountTape, CARD_TRADES);
  const { state } = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  return (
    <article className="card" data-card={instrument.instrument} data-live={state === "synced" && !isDoubted}>
      <header className="card_head">
        <h3>
          <a href={instrumentHref(instrument.instrument)}>
            {exchangeName(instrument.exchange)}
            <span className="hidden"> {instrument.pair}, details</span>
          </a>
        </h3>
        <UpdateRate instrument={instrument} />
        <StateBadge instrument={instrument} />
      </header>
      <div className="best_prices" ref={best} />
      <div className="book">
        <div className="ladder compact" ref={ladder} />
        <Trouble instrument={instrument} nowSeconds={store.nowSeconds} />
      </div>
      <Sparkline store={instrument} />
      <ol className="tape" ref={tape} aria-label="Last trades, newest first" />
    </article>
  );
}

/** Book events per second. */
export function UpdateRate({ instrument }: { instrument: InstrumentStore }) {
  const rate = useCell(instrument.updatesPerSecond);
  return (
    <span className="rate" title="Book events in the last second">
      {rate}
      <small>/s</small>
    </span>
  );
}
