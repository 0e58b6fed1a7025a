/**
 * `/metrics`: the exposition for Prometheus, answered later, because another thread makes it. Whoever can reach the port may
 * read it, as with `/health`. Bad case: the thread fails; the answer is 503 with the reason, so that the scrape is seen as missing.
 */
import type { GatewayMetrics } from "./metrics.ts";
import type { HttpAnswer, HttpRequest } from "./transport.ts";

/** Where metrics are. */
export const METRICS_PATH = "/metrics";

const EXPOSITION = "text/plain; version=0.0.4; charset=utf-8";

/** Answers a request for metrics; undefined when it is for something else, or when there are none. */
export function answerMetrics(metrics: GatewayMetrics, request: HttpRequest): Promise<HttpAnswer> | undefined {
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (request.path !== METRICS_PATH || !isRead || !metrics.isOffered) {
    return undefined;
  }
  return metrics.render().then(
    (body) => ({ status: 200, headers: { "content-type": EXPOSITION, "cache-control": "no-store" }, body }),
    (error: unknown) => ({
      status: 503,
      headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
      body: `Cannot tell metrics: ${error instanceof Error ? error.message : String(error)}\n`,
    }),
  );
}
