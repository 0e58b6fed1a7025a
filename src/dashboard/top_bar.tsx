/**
 * The head of the page: the connection to the gateway, and what flows in and out of everything each second; below it a
 * banner while the connection is lost. Bad case: without statistics from the gateway its figures show a dash.
 */
import { useCell } from "./cell.ts";
import { ageText, byteRate, countText } from "./display_text.ts";
import type { Connection } from "./market_feed.ts";
import type { MarketStore } from "./market_store.ts";
import { pairHref, type View } from "./route.ts";
import { palette, toggleTheme } from "./theme.ts";
import { isHelpOpen } from "./view_state.ts";

const CONNECTION_WORDS = {
  connecting: "Connecting",
  open: "Live",
  reconnecting: "Reconnecting",
  closed: "Closed",
} as const satisfies Record<Connection["state"], string>;

const VIEWS = [
  { label: "Instruments", kinds: ["overview", "instrument"], href: "#/" },
  { label: "Pairs", kinds: ["pair"], href: pairHref() },
  { label: "System", kinds: ["system"], href: "#/system" },
  { label: "Arbitrage", kinds: ["arbitrage"], href: "#/arbitrage" },
] as const satisfies readonly { label: string; kinds: readonly View["kind"][]; href: string }[];

/** Brand, views, connection and figures. */
export function TopBar({ store, view }: { store: MarketStore; view: View }) {
  const connection = useCell(store.connection);
  return (
    <header className="top_bar">
      <a className="brand" href="#/" aria-label="AlphaPulse, all instruments">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M3 17h7l3-10 5 19 4-13 2 4h5" />
        </svg>
        <h1>
          Alpha<b>Pulse</b>
        </h1>
      </a>
      <nav className="views" aria-label="Views">
        {VIEWS.map(({ label, kinds, href }) => {
          const isHere = (kinds as readonly string[]).includes(view.kind);
          return (
            <a key={label} href={href} aria-current={isHere ? "page" : undefined}>
              {label}
            </a>
          );
        })}
      </nav>
      <span className="connection" data-connection-badge={connection.state}>
        {CONNECTION_WORDS[connection.state]}
      </span>
      <Figures store={store} />
      <div className="tools">
        <ThemeButton />
        <button type="button" title="Keys (?)" aria-label="Keys" onClick={() => isHelpOpen.set(true)}>
          ?
        </button>
      </div>
    </header>
  );
}

function ThemeButton() {
  const { name } = useCell(palette);
  const other = name === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      title={`Use the ${other} colours (t)`}
      aria-label={`Use the ${other} colours`}
      onClick={toggleTheme}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" />
        <path d="M8 2a6 6 0 0 1 0 12z" />
      </svg>
    </button>
  );
}

function Figures({ store }: { store: MarketStore }) {
  const page = useCell(store.measures);
  const statistics = useCell(store.statistics);
  const gateway = statistics?.gateway;
  const rate = (bytes: number | undefined) => (bytes === undefined ? "–" : byteRate(bytes));
  const exchangeBytes = statistics?.exchanges.reduce((sum, exchange) => sum + exchange.bytesInPerSecond, 0);
  return (
    <dl className="figures">
      <Figure label="Exchanges in" value={rate(exchangeBytes)} title="Bytes received from the exchanges" />
      <Figure label="Clients out" value={rate(gateway?.bytesOutPerSecond)} title="Bytes sent to all stream clients" />
      <Figure label="This page in" value={byteRate(page.bytesIn)} title="Bytes received by this page" />
      <Figure label="Updates" value={`${countText(page.updates)}/s`} title="Book events applied by this page" />
      <Figure
        label="Synced"
        value={`${countText(page.synced)} of ${countText(page.instruments)}`}
        title="Books that are known to be right, of all on this page"
      />
      <Figure label="Clients" value={gateway === undefined ? "–" : countText(gateway.clients)} title="Stream clients" />
    </dl>
  );
}

function Figure({ label, value, title }: { label: string; value: string; title: string }) {
  return (
    <div className="figure" title={title}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** Says that the connection is lost, that the books are frozen, and that another try is under way. */
export function ConnectionBanner({ store }: { store: MarketStore }) {
  const connection = useCell(store.connection);
  return (
    <div className="banner_place" role="status">
      {connection.state === "open" ? null : (
        <p className="banner">
          <strong>{bannerText(connection)}</strong>
          <Since store={store} sinceMs={connection.sinceMs} />
        </p>
      )}
    </div>
  );
}

function bannerText({ state, attempt, reason }: Connection): string {
  const why = reason === "" ? "" : ` (${reason})`;
  if (state === "connecting") {
    return "Connecting to the gateway…";
  }
  if (state === "closed") {
    return `The connection is closed${why}. Reload the page to open it again.`;
  }
  return `Connection lost${why}: books are frozen. Reconnecting${attempt > 0 ? `, try ${attempt}` : ""}…`;
}

function Since({ store, sinceMs }: { store: MarketStore; sinceMs: number }) {
  const now = useCell(store.nowSeconds);
  return (
    <span className="since" aria-hidden="true">
      {ageText(now - sinceMs / 1000)}
    </span>
  );
}
