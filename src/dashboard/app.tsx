/**
 * The page: head, connection banner, and the view that the address asks for.
 * Bad case: the connection is lost: everything stays readable, dimmed, under a banner that says so.
 */
import { ArbitrageView } from "./arbitrage_view.tsx";
import { useCell } from "./cell.ts";
import { Detail } from "./detail.tsx";
import { Help } from "./help.tsx";
import type { MarketStore } from "./market_store.ts";
import { Overview } from "./overview.tsx";
import { PairView } from "./pair_view.tsx";
import { useView, type View } from "./route.ts";
import { SystemView } from "./system_view.tsx";
import { ConnectionBanner, TopBar } from "./top_bar.tsx";

/** The whole page. */
export function App({ store }: { store: MarketStore }) {
  const connection = useCell(store.connection);
  const view = useView();
  return (
    <div className="app" data-connection={connection.state} data-view={view.kind}>
      <TopBar store={store} view={view} />
      <ConnectionBanner store={store} />
      <main>
        <Shown store={store} view={view} />
      </main>
      <Help />
    </div>
  );
}

function Shown({ store, view }: { store: MarketStore; view: View }) {
  if (view.kind === "instrument") {
    return <Detail name={view.name} store={store} />;
  }
  if (view.kind === "pair") {
    return <PairView pair={view.pair} store={store} />;
  }
  if (view.kind === "arbitrage") {
    return <ArbitrageView store={store} />;
  }
  return view.kind === "system" ? <SystemView store={store} /> : <Overview store={store} />;
}
