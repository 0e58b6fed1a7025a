/**
 * All instruments in one table: how each can be trusted and since when, best prices, spread, rates. Problems stand first;
 * a column's head sorts by it, words filter. What moves is written in place by overview_row.ts.
 * Bad case: hundreds of instruments: rows beyond the screen are not painted, and the order is looked at once a second.
 */
import { memo, type ReactNode, useMemo, useSyncExternalStore } from "react";
import { type Cell, useCell } from "./cell.ts";
import { exchangeName } from "./display_text.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { moveAmongRows, useFilter } from "./keyboard.ts";
import type { MarketStore } from "./market_store.ts";
import { type Order, orderedRows, type SortKey, severity } from "./overview_order.ts";
import { mountRow, spreadOf } from "./overview_row.ts";
import { usePainter } from "./painting.ts";
import { instrumentHref } from "./route.ts";
import { Since, StateBadge, troubleText } from "./state_badge.tsx";
import { overviewFilter, overviewOrder, priceRoom } from "./view_state.ts";

const HEADS: readonly { name: string; label: string; title: string; sort?: SortKey }[] = [
  { name: "instrument", label: "Instrument", title: "Pair and exchange", sort: "instrument" },
  { name: "state", label: "State", title: "Problems first: how far the book can be trusted, and why", sort: "health" },
  { name: "since", label: "Since", title: "How long it has been in this state", sort: "since" },
  { name: "bid", label: "Bid", title: "Best bid" },
  { name: "ask", label: "Ask", title: "Best ask" },
  { name: "spread", label: "Spread", title: "Best ask less best bid" },
  { name: "basis", label: "bps", title: "Spread in basis points of the midpoint", sort: "spread" },
  { name: "updates", label: "Updates/s", title: "Book events in the last second", sort: "updates" },
  { name: "trades", label: "Trades/s", title: "Trades in the last second", sort: "trades" },
  { name: "wire", label: "Stream", title: "Bytes of its book and trades on the stream, encoded once for all clients" },
  { name: "trend", label: "Mid, 5 min", title: "Midpoint of the last five minutes" },
];

/** The table. */
export function Overview({ store }: { store: MarketStore }) {
  const groups = useCell(store.groups);
  const order = useCell(overviewOrder);
  const filter = useCell(overviewFilter);
  const names = useRows(store, order, filter);
  const rows = names.map((name) => store.instrument(name)).filter((row) => row !== undefined);
  const total = groups.reduce((sum, group) => sum + group.instruments.length, 0);
  if (total === 0) {
    return <p className="nothing">Waiting for the list of instruments…</p>;
  }
  return (
    <section className="panel overview" aria-label="Instruments">
      <Filter shown={rows.length} total={total} />
      <table className="rows">
        <thead>
          <tr>
            {HEADS.map((head) => (
              <Head key={head.name} head={head} order={order} />
            ))}
          </tr>
        </thead>
        <tbody onKeyDown={moveAmongRows}>
          {rows.map((instrument) => (
            <Row key={instrument.instrument} instrument={instrument} nowSeconds={store.nowSeconds} />
          ))}
        </tbody>
      </table>
      {rows.length === 0 ? (
        <p className="nothing">No instrument matches “{filter}”. Escape clears the filter.</p>
      ) : null}
    </section>
  );
}

/** The names in order, looked at once a second and whenever order or filter change; the same array while it is the same. */
function useRows(store: MarketStore, order: Order, filter: string): readonly string[] {
  const reader = useMemo(() => {
    let held: readonly string[] = [];
    return () => {
      const instruments = store.groups.get().flatMap((group) => group.instruments);
      const facts = instruments.map((instrument) => ({
        status: instrument.status.get(),
        isLive: instrument.isLive,
        spread: spreadOf(instrument.best()),
        updatesPerSecond: instrument.statistics?.updatesPerSecond ?? 0,
        tradesPerSecond: instrument.statistics?.tradesPerSecond ?? 0,
      }));
      priceRoom.set(Math.max(0, ...facts.map((row) => row.status.priceExponent)));
      const names = orderedRows(facts, order, filter).map((row) => row.status.instrument);
      held = names.join() === held.join() ? held : names;
      return held;
    };
  }, [store, order, filter]);
  useCell(store.groups);
  return useSyncExternalStore(store.nowSeconds.subscribe, reader);
}

function Filter({ shown, total }: { shown: number; total: number }) {
  const filter = useCell(overviewFilter);
  const ref = useFilter();
  return (
    <div className="filter">
      <input
        ref={ref}
        type="search"
        value={filter}
        placeholder="Filter ( / ): kraken btc, problems, checksum…"
        aria-label="Filter instruments"
        onChange={(event) => overviewFilter.set(event.target.value)}
      />
      <button
        type="button"
        aria-pressed={filter === "problems"}
        onClick={() => overviewFilter.set(filter === "problems" ? "" : "problems")}
      >
        Problems only
      </button>
      <span className="count" role="status">
        {shown === total ? `${total} instruments` : `${shown} of ${total}`}
      </span>
    </div>
  );
}

function Head({ head, order }: { head: (typeof HEADS)[number]; order: Order }) {
  const { name, label, title, sort } = head;
  if (sort === undefined) {
    return (
      <th scope="col" className={name} title={title}>
        {label}
      </th>
    );
  }
  const isChosen = order.key === sort;
  const direction = order.isDescending ? "descending" : "ascending";
  const turn = () => {
    const isFirst = order.key !== sort;
    overviewOrder.set(
      isFirst ? { key: sort, isDescending: sort !== "instrument" } : { ...order, isDescending: !order.isDescending },
    );
  };
  return (
    <th scope="col" className={name} title={title} aria-sort={isChosen ? direction : "none"}>
      <button type="button" onClick={turn}>
        {label}
        <i aria-hidden="true">{isChosen ? (order.isDescending ? "▼" : "▲") : ""}</i>
      </button>
    </th>
  );
}

const Row = memo(function Row({ instrument, nowSeconds }: { instrument: InstrumentStore; nowSeconds: Cell<number> }) {
  const status = useCell(instrument.status);
  const isDoubted = useCell(instrument.isDoubted);
  const isWell = severity({ status, isLive: !isDoubted }) === 0;
  const why = troubleText(status, isDoubted);
  return (
    <MovingRow instrument={instrument} isWell={isWell}>
      <th scope="row" className="instrument">
        <a href={instrumentHref(instrument.instrument)}>
          {instrument.pair} <small>{exchangeName(instrument.exchange)}</small>
        </a>
      </th>
      <td className="state">
        <StateBadge instrument={instrument} />
        {why === "" ? null : <span className="why">{why}</span>}
      </td>
      <td className="since">
        <Since sinceMs={status.sinceMs} nowSeconds={nowSeconds} />
      </td>
    </MovingRow>
  );
});

/** React owns the first cells, the painter appends the others behind them and takes them away again. */
function MovingRow({
  instrument,
  isWell,
  children,
}: {
  instrument: InstrumentStore;
  isWell: boolean;
  children: ReactNode;
}) {
  const ref = usePainter<HTMLTableRowElement>(instrument, mountRow);
  return (
    <tr ref={ref} data-row={instrument.instrument} data-well={isWell}>
      {children}
    </tr>
  );
}
