/**
 * Plain HTTP: `/health` (the process is alive, 503 while it drains; and how every segment and instrument stands), `/ready` (200 only when
 * everything is live and synced), the stream's AsyncAPI document, REST below `/api/v1`, and the page's files.
 * Bad case: a balancer that asks `/health` whether to send traffic here; `/ready` is for that.
 */
import { ASYNCAPI_PATH, asyncApiText } from "../wire/asyncapi.ts";
import { STREAM_PATHS } from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";
import { type BrokerSample, brokerReasons } from "./metrics_broker.ts";
import type { RestRouter } from "./rest/router.ts";
import type { SegmentSource } from "./segment_source.ts";
import type { StaticFiles } from "./static_files.ts";
import { connectionWord } from "./statistics.ts";
import type { HttpAnswer, HttpRequest } from "./transport.ts";

/** What the pages tell about. */
export type PagesParts = {
  readonly server: string;
  readonly startedAtMs: number;
  readonly files: StaticFiles | undefined;
  /** What is below `/api/v1` beside the stream and its document. */
  readonly rest: Pick<RestRouter, "serves" | "answer">;
  sources(): readonly SegmentSource[];
  instruments(): Iterable<ServedInstrument>;
  clients(): number;
  /** Clients are being sent away. */
  isDraining(): boolean;
  now(): number;
  /** Absent = segments are read. */
  readonly broker?: (() => BrokerSample) | undefined;
};

/** Answers a plain HTTP request. */
export function answerPage(parts: PagesParts, request: HttpRequest): HttpAnswer | Promise<HttpAnswer> {
  if (parts.rest.serves(request.path) && !isOfStream(request.path)) {
    return parts.rest.answer(request);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const body = `Cannot answer: GET and HEAD only, was ${request.method}\n`;
    return { ...text(405, body), headers: { ...text(405, body).headers, allow: "GET, HEAD" } };
  }
  if (request.path === "/health") {
    return json(parts.isDraining() ? 503 : 200, health(parts));
  }
  if (request.path === "/ready") {
    const reasons = notReady(parts);
    return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
  }
  if (request.path === ASYNCAPI_PATH) {
    return { ...json(200, {}), body: asyncApiText() };
  }
  if (isOfStream(request.path)) {
    return text(426, "Cannot answer: this is a WebSocket, connect with ws://\n");
  }
  const file = parts.files?.answer(request);
  if (file !== undefined) {
    return file;
  }
  const hint = request.path === "/" ? "the page was not built, run `npm run build`" : "no such page";
  return text(404, `Cannot answer: ${hint}\n`);
}

function isOfStream(path: string): boolean {
  return path === ASYNCAPI_PATH || (STREAM_PATHS as readonly string[]).includes(path);
}

function health(parts: PagesParts) {
  const nowMs = parts.now();
  return {
    status: parts.isDraining() ? "draining" : "alive",
    server: parts.server,
    uptimeMs: Math.round(nowMs - parts.startedAtMs),
    clients: parts.clients(),
    ...(parts.broker === undefined ? {} : { broker: parts.broker() }),
    segments: parts.sources().map((source) => ({
      exchange: source.view.header.exchange,
      shard: source.view.header.shardIndex,
      epoch: source.view.header.epoch.toString(),
      connection: connectionWord(source, nowMs),
      heartbeatAgeMs: Math.round(nowMs - Number(source.view.heartbeatNs / 1_000_000n)),
      ...source.counts,
    })),
    instruments: [...parts.instruments()].map((instrument) => ({
      instrument: instrument.name.instrument,
      ...instrument.status(),
      replica: {
        following: instrument.book.replica.isFollowing,
        synced: instrument.isSynced,
        version: String(instrument.book.replica.version),
        failures: instrument.book.failures,
      },
      clientFailures: instrument.clientFailures,
    })),
  };
}

/** Why traffic should not be sent here; empty when it should. */
function notReady(parts: PagesParts): string[] {
  const nowMs = parts.now();
  const sources = parts.sources();
  const segments = sources
    .map((source) => ({ exchange: source.view.header.exchange, connection: connectionWord(source, nowMs) }))
    .filter(({ connection }) => connection !== "connected")
    .map(({ exchange, connection }) => `${exchange}: ${connection}`);
  const instruments = [...parts.instruments()]
    .filter((instrument) => !instrument.isSynced)
    .map((instrument) => `${instrument.name.instrument}: ${whyNotSynced(instrument)}`);
  const own = parts.isDraining() ? ["draining: this gateway stops"] : [];
  return [
    ...own,
    ...brokerReasons(parts.broker),
    ...(sources.length === 0 ? ["no segment"] : []),
    ...segments,
    ...instruments,
  ];
}

function whyNotSynced(instrument: ServedInstrument): string {
  const { state, reason } = instrument.status();
  if (state !== "synced") {
    return reason === "none" ? state : `${state} (${reason})`;
  }
  return instrument.book.isReady ? "the last event is not synced" : "its book is being joined";
}

function json(status: number, value: unknown): HttpAnswer {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { status, headers, body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): HttpAnswer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }, body };
}
