/**
 * How the whole thing runs: the gateway, the bytes of the stream against those of the exchanges, each exchange with what
 * went wrong, the clients that fare worst, and what painting this page costs.
 * Bad case: no connection: the figures are dashes, for what was true a minute ago is not shown as if it held.
 */
import { useMemo } from "react";
import type uPlot from "uplot";
import type { StatsMessage } from "../wire/protocol.ts";
import { useCell } from "./cell.ts";
import { type ChartOptions, type ChartSource, chartBase, timeAxes, timeScales, useChart } from "./chart.ts";
import { ClientTable } from "./client_table.tsx";
import { ageText, byteRate, byteText, countText } from "./display_text.ts";
import { ExchangeTable } from "./exchange_table.tsx";
import { LatencyPanel } from "./latency_panel.tsx";
import type { MarketStore } from "./market_store.ts";
import { ProcessPanel } from "./process_panel.tsx";
import { bytesOf, bytesRatio } from "./traffic_series.ts";
import { useFollow } from "./use_watch.ts";

const TRAFFIC_SECONDS = 600;
/** Up to so many instruments all books are followed while this view is open: only then the bytes can be compared. */
const COMPARED_MAX = 64;

/** The view. */
export function SystemView({ store }: { store: MarketStore }) {
  const names = useCell(store.groups).flatMap((group) => group.instruments.map((instrument) => instrument.instrument));
  useFollow(store, names.length <= COMPARED_MAX ? names.join() : "");
  return (
    <div className="system">
      <Gateway store={store} />
      <section className="panel chart_panel traffic" aria-label="Bytes per second">
        <h3>Bytes per second, last 10 minutes</h3>
        <TrafficChart store={store} />
      </section>
      <ExchangeTable store={store} />
      <LatencyPanel store={store} />
      <ProcessPanel />
      <ClientTable store={store} />
    </div>
  );
}

type Tile = { label: string; title: string; text: string; isFault?: boolean };

function Gateway({ store }: { store: MarketStore }) {
  const statistics = useCell(store.statistics);
  const page = useCell(store.measures);
  const tiles = statistics === undefined ? [] : gatewayTiles(statistics, store);
  const { median, p99 } = store.frames.spans;
  const pageTiles: Tile[] = [
    { label: "This page in", title: "Bytes received by this page", text: byteRate(page.bytesIn) },
    {
      label: "Updates here",
      title: "Book events and best prices applied by this page",
      text: `${countText(page.updates)}/s`,
    },
    {
      label: "Painting",
      title: "Time of painting a frame of this page, median and 99th percentile of the last 600",
      text: `${median.toFixed(1)} / ${p99.toFixed(1)} ms`,
      isFault: p99 > 8,
    },
  ];
  return (
    <section className="panel gateway" aria-label="Gateway">
      <h3>Gateway{statistics === undefined ? ": no statistics yet" : ""}</h3>
      <dl className="tiles">
        {[...tiles, ...pageTiles].map(({ label, title, text, isFault }) => (
          <div key={label} className="tile" title={title} data-fault={isFault === true}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function gatewayTiles(statistics: StatsMessage, store: MarketStore): Tile[] {
  const { gateway } = statistics;
  const { totals } = gateway;
  const { exchangeBytes, wireBytes } = bytesOf(statistics);
  const times = bytesRatio(statistics, (name) => store.isFollowed(name));
  const ratio = times === undefined ? "–" : `${times.toFixed(1)}× fewer`;
  const slow = gateway.slowClients;
  return [
    { label: "Up", title: "Since the gateway started", text: ageText(gateway.uptimeMs / 1000) },
    { label: "Kernel", title: "Which implementation of the hot path runs", text: gateway.kernel },
    { label: "Transport", title: "Which WebSocket implementation runs", text: gateway.transport },
    { label: "Exchanges in", title: "JSON bytes from the exchanges", text: byteRate(exchangeBytes) },
    { label: "Stream", title: "The same market as encoded once for all clients", text: byteRate(wireBytes) },
    { label: "Bytes", title: "Stream against exchange JSON, last second", text: ratio },
    { label: "Clients out", title: "Bytes sent to all clients", text: byteRate(gateway.bytesOutPerSecond) },
    {
      label: "Frames out",
      title: "Frames delivered, once per client",
      text: `${countText(gateway.framesOutPerSecond)}/s`,
    },
    {
      label: "Frames encoded",
      title: "Frames encoded, once per batch",
      text: `${countText(gateway.wireFramesPerSecond)}/s`,
    },
    { label: "Clients", title: "Stream clients now", text: countText(gateway.clients) },
    {
      label: "Slow now",
      title: "Clients that do not read as fast as it is sent",
      text: countText(slow),
      isFault: slow > 0,
    },
    {
      label: "Slow times",
      title: "Times that a client was taken off its topics",
      text: countText(totals.slowTimes),
    },
    {
      label: "Conflated",
      title: "Conflated updates, for slow clients and resumes",
      text: countText(totals.conflatedUpdates),
    },
    { label: "Resumes", title: "Reconnects that went on where they had stopped", text: countText(totals.resumes) },
    { label: "Resets", title: "Subscriptions that began anew", text: countText(totals.resets) },
    {
      label: "Dropped",
      title: "Messages that the transport dropped: our fault",
      text: countText(totals.dropped),
      isFault: totals.dropped > 0,
    },
    { label: "Refused", title: "Client messages that were refused", text: countText(totals.protocolErrors) },
    { label: "Sent", title: "Bytes sent since the start", text: byteText(totals.bytesOut) },
  ];
}

function TrafficChart({ store }: { store: MarketStore }) {
  const source = useMemo(() => trafficSource(store), [store]);
  const ref = useChart(source, trafficOptions);
  return (
    <figure className="price_chart">
      <figcaption>
        <span className="key" data-series="1">
          exchanges in, JSON
        </span>
        <span className="key" data-series="0">
          the stream, encoded once
        </span>
        <span className="key" data-series="2">
          to all clients
        </span>
      </figcaption>
      <div className="plot" ref={ref} />
    </figure>
  );
}

function trafficSource(store: MarketStore): ChartSource {
  return {
    count: () => store.traffic.count,
    columns: () => store.traffic.columns as unknown as uPlot.AlignedData,
    onFrame: (paint) => store.statistics.subscribe(() => store.frames.request(paint)),
  };
}

const trafficOptions: ChartOptions = ({ size, colours, read }) => ({
  ...chartBase(size),
  axes: timeAxes(colours, (positions) => positions.map((position) => byteRate(position))),
  scales: {
    ...timeScales(TRAFFIC_SECONDS, () => 1_000),
    y: { range: (_plot, _least, most) => [0, Math.max(most * 1.1, 1_000)] },
  },
  series: [
    {},
    ...[1, 0, 2].map((index) => ({
      stroke: colours.series[index] ?? colours.mid,
      width: 1.5,
      points: { show: false },
    })),
  ],
  hooks: {
    setCursor: [
      (plot) => {
        const index = plot.cursor.idx ?? -1;
        const values = plot.data.slice(1).map((line) => line?.[index]);
        const texts = ["exchanges", "stream", "clients"].map((name, line) => `${name} ${byteRate(values[line] ?? 0)}`);
        read(values.every((value) => typeof value === "number") ? texts.join("   ") : "");
      },
    ],
  },
});
