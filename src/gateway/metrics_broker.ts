/**
 * What is known of the broker that a gateway reads: the connection, what was read, what was merged, and what the collectors
 * that publish there say of themselves. Absent where segments are read. Bad case: more than 16 collectors of one exchange.
 */
import {
  type CONNECTION_COUNTS,
  type Figures,
  PUBLISHER_FIGURES,
  type PublisherFigures,
  type RECEIVER_COUNTS,
} from "../model/broker_figures.ts";
import type { MetricName, MetricValues } from "./metric_families.ts";

/** What a collector says of its publishing. */
export type BrokerPublisher = {
  /** A small number, 0 … 15, that no other collector of the exchange has meanwhile. */
  readonly place: number;
  readonly figures: PublisherFigures;
};

/** The metric, and its label `ring`, of each figure. */
const PUBLISHER_METRICS: Readonly<Record<keyof PublisherFigures, readonly [MetricName, { readonly ring?: string }]>> = {
  messages: ["nats_publisher_messages_total", {}],
  bytes: ["nats_publisher_bytes_total", {}],
  deltas: ["nats_publisher_records_total", { ring: "deltas" }],
  trades: ["nats_publisher_records_total", { ring: "trades" }],
  snapshots: ["nats_publisher_snapshots_total", {}],
  rewinds: ["nats_publisher_rewinds_total", {}],
  lostDeltas: ["nats_publisher_lost_records_total", { ring: "deltas" }],
  lostTrades: ["nats_publisher_lost_records_total", { ring: "trades" }],
  attempts: ["nats_publisher_attempts_total", {}],
  reconnects: ["nats_publisher_reconnects_total", {}],
  underWay: ["nats_publisher_under_way_bytes", {}],
};

/** An exchange as it comes from the broker. */
export type BrokerExchange = {
  readonly exchange: string;
  /** Collectors that are heard and whose records are not behind. */
  readonly collectors: number;
  readonly refused: number;
  readonly deltas: number;
  readonly trades: number;
  /** What the merge did, by kind. */
  readonly merged: Readonly<Record<string, number>>;
  readonly publishers: readonly BrokerPublisher[];
};

/** The broker as a gateway sees it; `attempts` are those to connect, from the first on. Plain values. */
export type BrokerSample = Readonly<Figures<typeof CONNECTION_COUNTS> & Figures<typeof RECEIVER_COUNTS>> & {
  readonly isConnected: boolean;
  /** Messages stored that were not read yet. */
  readonly lag: number;
  readonly exchanges: readonly BrokerExchange[];
};

/** What of it is not well. */
export function brokerReasons(broker: (() => BrokerSample) | undefined): string[] {
  return broker === undefined || broker().isConnected ? [] : ["the broker is away"];
}

/** Puts in what is known of the broker. */
export function putBroker(values: MetricValues, broker: BrokerSample): void {
  const put = (name: MetricName, value: number) => values.put(name, {}, { value });
  put("nats_connected", broker.isConnected ? 1 : 0);
  put("nats_attempts_total", broker.attempts);
  put("nats_disconnects_total", broker.disconnects);
  put("nats_reconnects_total", broker.reconnects);
  put("nats_messages_total", broker.messages);
  put("nats_bytes_total", broker.bytes);
  put("nats_missed_total", broker.missed);
  put("nats_read_restarts_total", broker.restarts);
  put("nats_lag_messages", broker.lag);
  values.put("nats_refused_total", { exchange: "unknown" }, { value: broker.refused });
  for (const one of broker.exchanges) {
    putExchange(values, one);
  }
}

function putExchange(values: MetricValues, one: BrokerExchange): void {
  const { exchange } = one;
  values.put("nats_collectors", { exchange }, { value: one.collectors });
  values.put("nats_refused_total", { exchange }, { value: one.refused });
  values.put("nats_records_total", { exchange, ring: "deltas" }, { value: one.deltas });
  values.put("nats_records_total", { exchange, ring: "trades" }, { value: one.trades });
  for (const [kind, value] of Object.entries(one.merged)) {
    values.put("nats_merged_total", { exchange, kind }, { value });
  }
  for (const { place, figures } of one.publishers) {
    for (const figure of PUBLISHER_FIGURES) {
      const [name, ring] = PUBLISHER_METRICS[figure];
      values.put(name, { exchange, collector: place, ...ring }, { value: figures[figure] });
    }
  }
}
