/** Plain HTTP beside the stream, on both transports. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, wideBook } from "./gateway_rig.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "alphapulse-page-"));
  mkdirSync(join(folder, "page/assets"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "page/index.html"), "<!doctype html><title>AlphaPulse</title>");
  writeFileSync(join(folder, "page/assets/app-AbCd1234.js"), "export {};");
});

afterEach(async () => {
  await closeAll();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("HTTP over %s", (_name, createTransport) => {
  async function serve({ synced = true, page = true } = {}) {
    const market = startMarket();
    const producer = market.produce({ natives: ["BTC-USD"] });
    if (synced) {
      producer.snapshot("BTC-USD", wideBook(20));
    }
    const gateway = await market.serve({
      transport: await createTransport(),
      ...(page ? { dashboardFolder: join(folder, "page") } : {}),
    });
    await until("a synced book", () => !synced || gateway.book(BTC)?.synced === true);
    const beats = setInterval(() => producer.beat(), 100);
    return { gateway, producer, stop: () => clearInterval(beats) };
  }

  it("is ready when every segment is live and every instrument synced", async () => {
    const { gateway, stop } = await serve();
    const answer = await fetch(`${gateway.url}/ready`);
    expect([answer.status, await answer.json()]).toEqual([200, { ready: true, reasons: [] }]);
    stop();
  });

  it("names what is missing when it is not ready", async () => {
    const { gateway, stop } = await serve({ synced: false });
    const answer = await fetch(`${gateway.url}/ready`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      ready: false,
      reasons: expect.arrayContaining([expect.stringContaining(BTC)]),
    });
    stop();
  });

  it("is not ready when the producer's heartbeat stops", async () => {
    const { gateway, stop } = await serve();
    stop();
    let health: { segments?: { connection: string }[] } = {};
    for (const startedAt = performance.now(); performance.now() - startedAt < 10_000; ) {
      await new Promise((resume) => setTimeout(resume, 150));
      if (health.segments?.[0]?.connection === "stale") {
        break;
      }
      health = (await (await fetch(`${gateway.url}/health`)).json()) as typeof health;
    }
    health = (await (await fetch(`${gateway.url}/health`)).json()) as typeof health;
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(503);
    expect(health).toMatchObject({
      status: "alive",
      segments: [{ exchange: "coinbase_exchange", connection: "stale" }],
      instruments: [
        { instrument: BTC, state: "connecting", reason: "silent", replica: { following: true, synced: false } },
      ],
    });
  });

  it("serves the page's files with their types and caching", async () => {
    const { gateway, stop } = await serve();
    const page = await fetch(`${gateway.url}/`);
    const script = await fetch(`${gateway.url}/assets/app-AbCd1234.js`);
    expect([page.status, page.headers.get("content-type"), await page.text()]).toEqual([
      200,
      "text/html; charset=utf-8",
      "<!doctype html><title>AlphaPulse</title>",
    ]);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    expect(script.headers.get("cache-control")).toContain("immutable");
    const again = await fetch(`${gateway.url}/`, { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const head = await fetch(`${gateway.url}/`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "40", ""]);
    stop();
  });

  it.each([
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/assets/../../secret.txt",
    "/..\\secret.txt",
    "/%",
    "/none",
  ])("answers 404 and nothing of the disk when asked for %s", async (path) => {
    const { gateway, stop } = await serve();
    const answer = await rawGet(gateway.port, path);
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain("secret\n");
    stop();
  });

  it("answers 404 for the page when it was not built, 405 for other methods, 426 on the stream's path", async () => {
    const { gateway, stop } = await serve({ page: false });
    const page = await fetch(`${gateway.url}/`);
    expect([page.status, await page.text()]).toEqual([404, expect.stringContaining("npm run build")]);
    const posted = await fetch(`${gateway.url}/health`, { method: "POST", body: "x".repeat(1000) });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await fetch(`${gateway.url}/ws`)).status).toBe(426);
    stop();
  });
});

/** A request whose path is sent as it stands. */
function rawGet(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
