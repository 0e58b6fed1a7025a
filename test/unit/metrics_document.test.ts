/**
 * deploy/METRICS.md lists every metric with its type, labels and meaning, from the declarations themselves; renew it with
 * ALPHAPULSE_RENEW=metrics. Bad case: a metric that is renamed without its page; boards and alerts would be written by an old name.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { METRICS } from "../../src/gateway/metric_families.ts";

const FILE = join(packageFolder(), "deploy/METRICS.md");
const RENEW = "ALPHAPULSE_RENEW=metrics npx vitest run test/unit/metrics_document.test.ts";

const HEAD = `# Metrics

\`GET /metrics\` of the gateway, in the text format of Prometheus. Generated from \`src/gateway/metric_families.ts\`; renew with
\`${RENEW}\`.

Times are seconds, sizes bytes; counters end in \`_total\` and begin at 0 with their segment or gateway, those with the label \`collector\` with that collector's
publisher. Labels are bounded: \`exchange\`, \`symbol\` and \`endpoint\` (an address of the exchange, without its query) are configured, \`shard\` is a small number,
\`thread\` is \`gateway\` or a collector's exchange, \`collector\` is a place, 0 … 15, all others are closed lists.

- \`collector\`: each life of a collector that publishes takes the first free place of its exchange when the gateway hears it, and keeps it until it is silent
  for 60 s (or 16 others need the room); the next life to take the place begins its counters anew. What is shown of one that is silent is what it last said.
- \`hop\`: \`exchange_received\` (the exchange's time of an event to our socket, the proved clock offset taken off) · \`decode\` (a frame: decoded, applied,
  settled) · \`received_published\` · \`published_read\` (by this gateway) · \`read_sent\` (handed to the transport). They are log-linear histograms in
  shared memory, within 2 % of each value; \`/metrics\` shows two buckets an octave from 512 ns to 17 s, whose bounds lie one nanosecond below the round
  figure, because counts hold whole nanoseconds below it.
- \`baseline\`: \`exchange_json\` (bytes of the exchange's frames) · \`whole_book\` (if each update had re-sent the whole book, 16 bytes a level);
  snapshots count on neither side.
- The clock offset is 0 unless messages or dated REST answers of the last ten minutes prove another one.
`;

function documentText(): string {
  const rows = METRICS.map(({ name, kind, labels, meaning }) => `| ${name} | ${kind} | ${labels} | ${meaning} |`);
  return `${HEAD}\n| name | type | labels | meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

describe("the page of metrics", () => {
  it("lists every metric as it is declared", () => {
    if (process.env.ALPHAPULSE_RENEW === "metrics") {
      writeFileSync(FILE, documentText());
    }
    expect(readFileSync(FILE, "utf8"), `renew it with: ${RENEW}`).toBe(documentText());
  });

  it("has one unit per name and no name twice", () => {
    const names = METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, kind } of METRICS) {
      expect(name).toMatch(/^alphapulse_[a-z_]+$/);
      expect(name.endsWith("_total")).toBe(kind === "counter");
    }
  });
});
