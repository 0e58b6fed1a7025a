/**
 * The same pair on all its exchanges: who bids most and asks least, each couple of exchanges, the ladders side by side,
 * midpoints and gap over time. Books are followed whole while this view is open.
 * Bad case: a pair on one exchange only: there is nothing to compare, and the view says so.
 */
import { useEffect, useRef } from "react";
import { mountBestPrices } from "./best_prices.ts";
import { useCell } from "./cell.ts";
import { mountMatrix } from "./cross_matrix.ts";
import { bestOffers, mountCrossPrices } from "./cross_prices.ts";
import { exchangeName } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { mountCompactLadder } from "./ladder.ts";
import type { MarketStore, PairGroup } from "./market_store.ts";
import { AttributeSlot, usePainter } from "./painting.ts";
import { GapChart, MiddlesChart } from "./pair_charts.tsx";
import { instrumentHref, pairHref } from "./route.ts";
import { StateBadge, Trouble } from "./state_badge.tsx";
import { useWatch } from "./use_watch.ts";

const CARD_LEVELS = 10;

/** The view of a pair; of the first that has several exchanges when none is named. */
export function PairView({ pair, store }: { pair: string | undefined; store: MarketStore }) {
  const groups = useCell(store.groups);
  const first = groups.find((group) => group.instruments.length > 1) ?? groups[0];
  const group = pair === undefined ? first : groups.find((other) => other.pair === pair);
  if (group === undefined) {
    const text = groups.length === 0 ? "Waiting for the list of instruments…" : `There is no pair ${pair} here.`;
    return <p className="nothing">{text}</p>;
  }
  return (
    <div className="pair_view">
      <nav className="pairs" aria-label="Pairs">
        {groups.map((other) => (
          <a key={other.pair} href={pairHref(other.pair)} aria-current={other === group ? "page" : undefined}>
            {other.pair} <small>{other.instruments.length}</small>
          </a>
        ))}
      </nav>
      <Pair key={`${group.pair} ${group.instruments.length}`} group={group} store={store} />
    </div>
  );
}

function Pair({ group, store }: { group: PairGroup; store: MarketStore }) {
  useWatch(store, group.instruments.map((instrument) => instrument.instrument).join());
  const isAlone = group.instruments.length < 2;
  return (
    <>
      <section className="panel pair_head" aria-label={`${group.pair} across exchanges`}>
        <h2>{group.pair}</h2>
        {isAlone ? <p className="alone">On one exchange only: nothing to compare.</p> : <CrossPrices group={group} />}
      </section>
      <Cards group={group} store={store} />
      {isAlone ? null : <Matrix group={group} />}
      <section className="panel chart_panel pair_charts" aria-label="Midpoints and gap">
        <h3>Midpoints, last 5 minutes</h3>
        <MiddlesChart group={group} />
        {isAlone ? null : <GapChart group={group} />}
      </section>
    </>
  );
}

function CrossPrices({ group }: { group: PairGroup }) {
  const ref = useRef<HTMLParagraphElement>(null);
  useGroupPainter(group.instruments, () =>
    ref.current === null ? undefined : mountCrossPrices(ref.current, group.instruments),
  );
  return <p className="cross_prices" ref={ref} title="Best bid and best ask across these exchanges" />;
}

/** A card per exchange; the one with the best bid or ask says so. */
function Cards({ group, store }: { group: PairGroup; store: MarketStore }) {
  const ref = useRef<HTMLDivElement>(null);
  const { instruments } = group;
  useGroupPainter(instruments, () => (ref.current === null ? undefined : mountWinners(ref.current, instruments)));
  return (
    <div className="cards" ref={ref}>
      {instruments.map((instrument, index) => (
        <Card key={instrument.instrument} instrument={instrument} store={store} index={index} />
      ))}
    </div>
  );
}

function Card({ instrument, store, index }: { instrument: InstrumentStore; store: MarketStore; index: number }) {
  const best = usePainter<HTMLDivElement>(instrument, mountBestPrices);
  const ladder = usePainter<HTMLDivElement>(instrument, mountCompactLadder, CARD_LEVELS);
  const { state } = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  return (
    <article className="panel card" data-card={instrument.instrument} data-live={state === "synced" && !isDoubted}>
      <header className="card_head">
        <h3>
          <a href={instrumentHref(instrument.instrument)}>
            <i className="swatch" data-series={index} aria-hidden="true" />
            {exchangeName(instrument.exchange)}
            <span className="hidden"> {instrument.pair}, details</span>
          </a>
        </h3>
        <StateBadge instrument={instrument} />
      </header>
      <div className="best_prices" ref={best} />
      <div className="book">
        <div className="ladder compact" ref={ladder} />
        <Trouble instrument={instrument} nowSeconds={store.nowSeconds} />
      </div>
    </article>
  );
}

function Matrix({ group }: { group: PairGroup }) {
  const ref = useRef<HTMLTableSectionElement>(null);
  const { instruments } = group;
  useGroupPainter(instruments, () => {
    const cells = [...(ref.current?.querySelectorAll<HTMLElement>("td") ?? [])];
    return mountMatrix(cells, instruments);
  });
  return (
    <section className="panel matrix_panel" aria-label="Buy at one, sell at another">
      <h3>
        Buy at the row, sell at the column: basis points before fees; <em>above zero the books are crossed</em>
      </h3>
      <table className="matrix">
        <thead>
          <tr>
            <th scope="col">
              <span className="hidden">Buy at</span>
            </th>
            {instruments.map((instrument) => (
              <th scope="col" key={instrument.instrument}>
                {exchangeName(instrument.exchange)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={ref}>
          {instruments.map((buy) => (
            <tr key={buy.instrument}>
              <th scope="row">{exchangeName(buy.exchange)}</th>
              {instruments.map((sell) => (
                <td key={sell.instrument} data-same={sell === buy} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Marks the card with the best bid, the one with the best ask, and both while they are crossed. */
function mountWinners(element: HTMLElement, instruments: readonly InstrumentStore[]): Painter {
  const slots = [...element.querySelectorAll<HTMLElement>(".card")].map((card) => ({
    best: new AttributeSlot(card, "data-best"),
    crossed: new AttributeSlot(card, "data-crossed"),
  }));
  return () => {
    const offers = bestOffers(instruments);
    for (const [index, slot] of slots.entries()) {
      const { exchange } = instruments[index] ?? {};
      const sides = [
        exchange !== undefined && offers?.bid.exchange === exchange ? "bid" : "",
        exchange !== undefined && offers?.ask.exchange === exchange ? "ask" : "",
      ];
      slot.best.set(sides.join(" ").trim());
      slot.crossed.set(String(offers?.isCrossed === true && sides.join("") !== ""));
    }
  };
}

/** Runs one painter on the frames of several instruments. */
function useGroupPainter(instruments: readonly InstrumentStore[], mount: () => Painter | undefined): void {
  const latest = useRef(mount);
  latest.current = mount;
  useEffect(() => {
    const paint = latest.current();
    const stops = paint === undefined ? [] : instruments.map((instrument) => instrument.onFrame(paint));
    return () => {
      for (const stop of stops) {
        stop();
      }
    };
  }, [instruments]);
}
