/**
 * What each exchange sent and what went wrong with it, as the gateway counts. Rates are over the last second, the other
 * columns are sums since the gateway started. Bad case: no statistics yet: the table is left out.
 */
import { useCell } from "./cell.ts";
import { byteRate, countText, exchangeName, wholeText } from "./display_text.ts";
import type { ExchangeRates, MarketStore } from "./market_store.ts";

type Column = {
  head: string;
  title: string;
  text: (row: ExchangeRates) => string;
  isFault?: (row: ExchangeRates) => boolean;
};

const sum = (head: string, title: string, read: (row: ExchangeRates) => number): Column => ({
  head,
  title,
  text: (row) => countText(read(row)),
});
const fault = (head: string, title: string, read: (row: ExchangeRates) => number): Column => ({
  ...sum(head, title, read),
  isFault: (row) => read(row) > 0,
});

const COLUMNS: readonly Column[] = [
  { head: "In", title: "Bytes received per second", text: (row) => byteRate(row.bytesPerSecond) },
  { head: "Frames/s", title: "Messages received per second", text: (row) => wholeText(row.framesPerSecond) },
  sum("Book events", "Applied since the start", (row) => row.bookUpdates),
  sum("Trades", "Recorded since the start", (row) => row.trades),
  sum("Checksums", "That held since the start", (row) => row.checksumsOk),
  fault("Bad checksums", "That did not hold", (row) => row.checksumsBad),
  fault("Gaps", "Losses that the exchange's rule showed", (row) => row.gaps),
  fault("Resyncs", "Books fetched again", (row) => row.resyncs),
  fault("Unreadable", "Frames that could not be decoded", (row) => row.decodeErrors),
  fault("Reconnects", "Connections opened again", (row) => row.reconnects),
];

/** One row per exchange. */
export function ExchangeTable({ store }: { store: MarketStore }) {
  const rates = useCell(store.gatewayRates);
  if (rates === undefined || rates.exchanges.length === 0) {
    return null;
  }
  return (
    <section className="panel exchanges" aria-label="Exchanges">
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
          {rates.exchanges.map((row) => (
            <tr key={row.exchange} data-exchange={row.exchange}>
              <th scope="row">{exchangeName(row.exchange)}</th>
              {COLUMNS.map((column) => (
                <td key={column.head} data-head={column.head} data-fault={column.isFault?.(row) === true}>
                  {column.text(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
