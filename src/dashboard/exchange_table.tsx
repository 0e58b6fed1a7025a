/**
 * What each exchange sent and what went wrong with it, as the gateway counts. Rates are over the last second, the other
 * columns are sums since its collector started. Bad case: no statistics yet: the table is left out.
 */
import type { ExchangeStats, StatsMessage } from "../wire/protocol.ts";
import { useCell } from "./cell.ts";
import { byteRate, countText, exchangeName, wholeText } from "./display_text.ts";
import type { MarketStore } from "./market_store.ts";
import { bytesOf, bytesRatio } from "./traffic_series.ts";

/** What a cell may look at beside its row. */
type Context = { statistics: StatsMessage; store: MarketStore };

type Column = {
  head: string;
  title: string;
  text: (row: ExchangeStats, context: Context) => string;
  isFault?: (row: ExchangeStats) => boolean;
};

const total = (head: string, title: string, read: (totals: ExchangeStats["totals"]) => number): Column => ({
  head,
  title,
  text: (row) => countText(read(row.totals)),
});
const fault = (head: string, title: string, read: (totals: ExchangeStats["totals"]) => number): Column => ({
  ...total(head, title, read),
  isFault: (row) => read(row.totals) > 0,
});

const COLUMNS: readonly Column[] = [
  {
    head: "Collector",
    title: "Connection to the exchange",
    text: (row) => row.connection,
    isFault: (row) => row.connection !== "connected",
  },
  {
    head: "Synced",
    title: "Books that are known to be right, of all",
    text: (row) => `${row.synced} of ${row.instruments}`,
    isFault: (row) => row.synced < row.instruments,
  },
  { head: "In", title: "Bytes received per second", text: (row) => byteRate(row.bytesInPerSecond) },
  { head: "Stream", title: "Bytes of the same books and trades on the stream, encoded once", text: streamRate },
  {
    head: "Bytes",
    title: "How many times fewer bytes that are; known while all its books are followed",
    text: ratioText,
  },
  { head: "Frames/s", title: "Messages received per second", text: (row) => wholeText(row.framesPerSecond) },
  { head: "Records/s", title: "Delta records written per second", text: (row) => wholeText(row.recordsPerSecond) },
  total("Frames", "Messages received", (totals) => totals.frames),
  total("Checksums", "That held", (totals) => totals.checksumOk),
  fault("Bad", "Checksums that did not hold", (totals) => totals.checksumBad),
  fault("Gaps", "Losses that the exchange's rule showed", (totals) => totals.gaps),
  fault("Resyncs", "Books fetched again", (totals) => totals.resyncs),
  fault("Unreadable", "Frames that could not be decoded", (totals) => totals.decodeErrors),
  fault("Reconnects", "Connections opened again", (totals) => totals.reconnects),
  fault("Lost", "Records that the gateway was too slow to read", (totals) => totals.lost),
  fault("Copies", "Checks that failed in the gateway's copies of the books", (totals) => totals.replicaFailures),
  fault("Clients", "Checks that failed in its clients' copies, as they told", (totals) => totals.clientFailures),
];

/** One row per exchange. */
export function ExchangeTable({ store }: { store: MarketStore }) {
  const statistics = useCell(store.statistics);
  if (statistics === undefined || statistics.exchanges.length === 0) {
    return null;
  }
  return (
    <section className="panel tabular exchanges" aria-label="Exchanges">
      <h3>Exchanges: rates of the last second, sums since the collector started</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Exchange</th>
            {COLUMNS.map((column) => (
              <th scope="col" key={column.head} title={column.title}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {statistics.exchanges.map((row) => (
            <tr key={`${row.exchange} ${row.shard}`} data-exchange={row.exchange}>
              <th scope="row">
                {exchangeName(row.exchange)}
                {row.shard > 0 ? ` ${row.shard}` : ""}
              </th>
              {COLUMNS.map((column) => (
                <td key={column.head} data-head={column.head} data-fault={column.isFault?.(row) === true}>
                  {column.text(row, { statistics, store })}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function streamRate(row: ExchangeStats, { statistics }: Context): string {
  return byteRate(bytesOf(statistics, row.exchange).wireBytes);
}

function ratioText(row: ExchangeStats, { statistics, store }: Context): string {
  const ratio = bytesRatio(statistics, (name) => store.isFollowed(name), row.exchange);
  return ratio === undefined ? "–" : `${ratio.toFixed(1)}×`;
}
