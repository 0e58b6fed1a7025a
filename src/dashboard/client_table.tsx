/**
 * The clients of the gateway that fare worst: who is slow, since when, what it was given instead, what was lost.
 * Bad case: none, which is the good case: the panel says that all keep up.
 */
import type { ClientStats } from "../wire/protocol.ts";
import { useCell } from "./cell.ts";
import { ageText, byteText, wholeText } from "./display_text.ts";
import type { MarketStore } from "./market_store.ts";

const COLUMNS: readonly { head: string; title: string; text: (row: ClientStats, atMs: number) => string }[] = [
  { head: "State", title: "live, conflated (off its topics), reset, closing", text: (row) => row.state },
  { head: "Since", title: "In this state", text: (row, atMs) => ageText((atMs - row.sinceMs) / 1000) },
  { head: "Waiting", title: "Bytes that wait for it", text: (row) => byteText(row.bufferedBytes) },
  { head: "Subscriptions", title: "Of this client", text: (row) => wholeText(row.subscriptions) },
  { head: "Slow", title: "Times that it was taken off its topics", text: (row) => wholeText(row.slowTimes) },
  { head: "Conflated", title: "Conflated updates that it was given", text: (row) => wholeText(row.conflatedUpdates) },
  { head: "Resets", title: "Subscriptions that began anew", text: (row) => wholeText(row.resets) },
  { head: "Dropped", title: "Messages that the transport dropped: our fault", text: (row) => wholeText(row.dropped) },
  { head: "Errors", title: "Messages of this client that were refused", text: (row) => wholeText(row.protocolErrors) },
];

/** The worst clients. */
export function ClientTable({ store }: { store: MarketStore }) {
  const statistics = useCell(store.statistics);
  const clients = statistics?.clients ?? [];
  return (
    <section className="panel tabular clients" aria-label="Clients">
      <h3>Clients that fare worst</h3>
      {clients.length === 0 ? (
        <p className="explain">
          {statistics === undefined ? "No statistics yet." : "All clients keep up, and always did."}
        </p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Client</th>
              {COLUMNS.map((column) => (
                <th scope="col" key={column.head} title={column.title}>
                  {column.head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {clients.map((row) => (
              <tr key={row.client} data-state={row.state}>
                <th scope="row">{row.client}</th>
                {COLUMNS.map((column) => (
                  <td key={column.head} data-head={column.head} data-fault={isFault(row, column.head)}>
                    {column.text(row, statistics?.atMs ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function isFault(row: ClientStats, head: string): boolean {
  return (head === "State" && row.state !== "live") || (head === "Dropped" && row.dropped > 0);
}
