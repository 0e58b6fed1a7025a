/**
 * Plain HTTP: `/health` (the process is alive, 503 while it drains; and how every segment and instrument stands), `/ready` (200 only when
 * everything is live and synced), the stream's AsyncAPI document, REST below `/api/v1`, and the page's files.
 * Bad case: a balancer that asks `/health` whether to send traffic here; `/ready` is for that.
 */
import { ASYNCAPI_PATH, asyncApiText } from "../wire/asyncapi.ts";
import { STREAM_PATHS } from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { BrokerSample } from "./metrics_broker.ts";
import { reasonsOf } from "./readiness.ts";
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
    const reasons = reasonsOf({
      isDraining: parts.isDraining(),
      broker: parts.broker,
      sources: parts.sources(),
      instruments: parts.instruments(),
      nowMs: parts.now(),
    });
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

function json(status: number, value: unknown): HttpAnswer {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { status, headers, body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): HttpAnswer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }, body };
}
