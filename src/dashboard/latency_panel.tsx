/**
 * How long events take from hop to hop, for each exchange: the quantiles of the last seconds on one scale of decades, so that
 * a slow hop stands out at once. Bad case: nothing was measured lately, or a hop that nobody uses; its cell is a dash.
 */
import type { HopStats, HopWord } from "../wire/statistics.ts";
import { useCell } from "./cell.ts";
import { exchangeName } from "./display_text.ts";
import { latencyText, SCALE_LINES, scalePlace } from "./latency_scale.ts";
import type { MarketStore } from "./market_store.ts";

const WIDTH = 160;
const HEIGHT = 14;
const MIDDLE = HEIGHT / 2;

const COLUMNS: readonly { hop: HopWord; head: string; title: string }[] = [
  {
    hop: "exchange_received",
    head: "Exchange → here",
    title: "From the exchange's time of the event to our socket, the proved difference of the clocks taken off",
  },
  { hop: "decode", head: "Decode", title: "A frame from its arrival until it is decoded, applied and settled" },
  { hop: "received_published", head: "→ ring", title: "From the socket to the ring" },
  { hop: "published_read", head: "→ gateway", title: "From the ring until the gateway has read it" },
  { hop: "read_sent", head: "→ clients", title: "From there until it was handed to the transport" },
];

/** One row per exchange. */
export function LatencyPanel({ store }: { store: MarketStore }) {
  const statistics = useCell(store.statistics);
  const rows = statistics?.exchanges.filter(({ hops }) => hops.length > 0) ?? [];
  if (rows.length === 0) {
    return null;
  }
  return (
    <section className="panel tabular latency" aria-label="Latency">
      <h3>Latency by hop: median to 99.9 % of the last seconds, from 0.1 µs to 10 s</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Exchange</th>
            {COLUMNS.map(({ hop, head, title }) => (
              <th scope="col" key={hop} title={title}>
                {head}
              </th>
            ))}
            <th scope="col" title="Our clock minus the exchange's, as far as it is proved">
              Clock
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ exchange, shard, hops, clockOffsetUs }) => (
            <tr key={`${exchange} ${shard}`} data-exchange={exchange}>
              <th scope="row">
                {exchangeName(exchange)}
                {shard > 0 ? ` ${shard}` : ""}
              </th>
              {COLUMNS.map(({ hop, head }) => (
                <td key={hop} data-hop={hop} data-head={head}>
                  <Hop figures={hops.find((one) => one.hop === hop)} />
                </td>
              ))}
              <td data-head="Clock">{clockText(clockOffsetUs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Hop({ figures }: { figures: HopStats | undefined }) {
  if (figures === undefined) {
    return "–";
  }
  const { count, p50, p95, p99, p999, max } = figures;
  const at = (us: number) => scalePlace(us) * WIDTH;
  const title = [
    ["p50", p50],
    ["p95", p95],
    ["p99", p99],
    ["p99.9", p999],
    ["max", max],
  ] as const;
  const text = title.map(([name, us]) => `${name} ${latencyText(us)}`).join(" · ");
  return (
    <figure title={`${text} · ${count} events`}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text}>
        {SCALE_LINES.map((us) => (
          <line key={us} className="decade" x1={at(us)} x2={at(us)} y1={0} y2={HEIGHT} />
        ))}
        <line className="tail" x1={at(p99)} x2={at(p999)} y1={MIDDLE} y2={MIDDLE} />
        <line className="body" x1={at(p50)} x2={at(p99)} y1={MIDDLE} y2={MIDDLE} />
        <circle className="median" cx={at(p50)} cy={MIDDLE} r={3} />
        <line className="most" x1={at(max)} x2={at(max)} y1={3} y2={HEIGHT - 3} />
      </svg>
      <figcaption>
        {latencyText(p50)} <span>p99 {latencyText(p99)}</span>
      </figcaption>
    </figure>
  );
}

function clockText(us: number): string {
  return us === 0 ? "0" : `${us < 0 ? "−" : "+"}${latencyText(Math.abs(us))}`;
}
