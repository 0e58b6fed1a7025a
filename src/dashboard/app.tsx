/**
 * The page: head, connection banner, and the view that the address asks for.
 * Bad case: the connection is lost: everything stays readable, dimmed, under a banner that says so.
 */
import { useCell } from "./cell.ts";
import { Detail } from "./detail.tsx";
import { ExchangeTable } from "./exchange_table.tsx";
import type { MarketStore } from "./market_store.ts";
import { Overview } from "./overview.tsx";
import { useRoute } from "./route.ts";
import { ConnectionBanner, TopBar } from "./top_bar.tsx";

/** The whole page. */
export function App({ store }: { store: MarketStore }) {
  const connection = useCell(store.connection);
  const route = useRoute();
  return (
    <div className="app" data-connection={connection.state}>
      <TopBar store={store} />
      <ConnectionBanner store={store} />
      <main>
        {route === undefined ? <Overview store={store} /> : <Detail name={route} store={store} />}
        <ExchangeTable store={store} />
      </main>
    </div>
  );
}
