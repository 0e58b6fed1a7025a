/** Late answers, bodies and answers in parts, on both transports: what the routes rely on, clients that go away included. */
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import type { HttpAnswer, HttpRequest, TransportServer } from "../../src/gateway/transport.ts";
import { ask } from "../support/api_witness.ts";
import { until } from "./gateway_market.ts";

const servers: TransportServer[] = [];
const PART_BYTES = 65_536;

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("Plain HTTP over %s", (_name, createTransport) => {
  async function serve(answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>) {
    const transport = await createTransport();
    const nothing = () => undefined;
    const server = await transport.listen({
      host: "127.0.0.1",
      port: 0,
      webSocketPaths: ["/ws"],
      messageBytesMax: 1024,
      bodyBytesMax: 1000,
      backpressureBytesMax: 1 << 20,
      idleSeconds: 60,
      handlers: {
        upgrade: () => ({ status: 404, body: "" }),
        ...{ open: nothing, message: nothing, drain: nothing, dropped: nothing, close: nothing },
        request: answer,
      },
    });
    servers.push(server);
    return server.port;
  }

  const plain = (body: HttpAnswer["body"], status = 200): HttpAnswer => ({ status, headers: {}, body });

  it("reads headers, query and body whole when they come", async () => {
    const seen: HttpRequest[] = [];
    const port = await serve((asked) => {
      seen.push(asked);
      return plain(asked.body);
    });
    const body = "é".repeat(400);
    const headers = {
      ...{ origin: "http://a.example", authorization: "Bearer x", "x-api-key": "y", "x-forwarded-for": "1.2.3.4" },
      ...{ "content-type": "text/x", "if-none-match": '"z"', host: "h.example" },
    };
    const { text } = await ask(port, "/p%20q?a=1?b", { method: "POST", headers, body });
    expect(text).toBe(body);
    expect(seen[0]).toMatchObject({
      ...{ method: "POST", path: "/p%20q", query: "a=1?b", address: "127.0.0.1", host: "h.example" },
      ...{ origin: "http://a.example", authorization: "Bearer x", apiKey: "y", forwardedFor: "1.2.3.4" },
      ...{ contentType: "text/x", ifNoneMatch: '"z"', isTooLong: false },
    });
    for (const method of ["DELETE", "PUT", "OPTIONS", "PATCH"]) {
      expect((await ask(port, "/", { method, body: method })).text).toBe(method);
      expect((await ask(port, "/", { method })).text).toBe("");
    }
  });

  it("says that a body is too long, and cuts one that never ends", async () => {
    const port = await serve(({ isTooLong, body }) => plain(`${isTooLong} ${body.byteLength}`));
    expect((await ask(port, "/", { method: "POST", body: "x".repeat(1000) })).text).toBe("false 1000");
    expect((await ask(port, "/", { method: "POST", body: "x".repeat(1001) })).text).toBe("true 0");
    await expect(ask(port, "/", { method: "POST", body: "x".repeat(2_000_000) })).rejects.toThrow();
  });

  it("answers later, and lets an answer go whose client is gone", async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const asked: string[] = [];
    const port = await serve(async ({ path }) => {
      asked.push(path);
      if (path === "/bad") {
        throw new Error("Cannot answer: a test");
      }
      await (path === "/held" ? released : new Promise((resume) => setTimeout(resume, 10)));
      return plain(path);
    });
    const gone = connect(port, "127.0.0.1", () => gone.write("GET /held HTTP/1.1\r\nhost: x\r\n\r\n"));
    await until("the request", () => asked.includes("/held"));
    gone.destroy();
    await new Promise((resume) => setTimeout(resume, 50));
    release();
    expect((await ask(port, "/late", {})).text).toBe("/late");
    expect((await ask(port, "/late", { method: "HEAD" })).headers["content-length"]).toBe("5");
    const bad = await ask(port, "/bad", {});
    expect([bad.status, bad.text]).toEqual([500, "Cannot answer: an error of the server\n"]);
    expect((await ask(port, "/late", {})).text).toBe("/late");
  });

  it.each(["at once", "later"])("sends parts that come %s, as many as there are", async (when) => {
    const port = await serve(() => plain(when === "later" ? lateParts(40) : parts(40)));
    const { text, headers } = await ask(port, "/", {});
    expect(text.length).toBe(40 * PART_BYTES);
    expect([text[0], text[PART_BYTES], text.at(-1)]).toEqual(["a", "b", String.fromCharCode(97 + (39 % 26))]);
    expect(headers["content-length"]).toBeUndefined();
    expect((await ask(port, "/", { method: "HEAD" })).text).toBe("");
  });

  it("asks for no more parts than the client reads, and lets go when it is gone", async () => {
    let made = 0;
    let isDone = false;
    function* endless(): Generator<Uint8Array> {
      try {
        for (;;) {
          made += 1;
          yield new Uint8Array(PART_BYTES);
        }
      } finally {
        isDone = true;
      }
    }
    const port = await serve(() => plain(endless()));
    const sent = request({ host: "127.0.0.1", port, path: "/" });
    const response = await new Promise<import("node:http").IncomingMessage>((resolve) => {
      sent.on("response", resolve);
      sent.end();
    });
    response.pause();
    let before = -1;
    await until("the buffers to be full", () => {
      const isFull = made === before;
      before = made;
      return isFull && made > 1;
    });
    expect(made * PART_BYTES).toBeLessThan(64 << 20);
    response.destroy();
    await until("the parts to be let go", () => isDone);
  });

  it("cuts the connection when the parts fail, so that nobody takes half for whole", async () => {
    function* failing(): Generator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error("Cannot go on: a test");
    }
    const port = await serve(() => plain(failing()));
    await expect(ask(port, "/", {})).rejects.toThrow();
  });
});

function* parts(count: number): Generator<Uint8Array> {
  for (let part = 0; part < count; part++) {
    yield new Uint8Array(PART_BYTES).fill(97 + (part % 26));
  }
}

async function* lateParts(count: number): AsyncGenerator<Uint8Array> {
  for (const part of parts(count)) {
    await new Promise((resume) => setTimeout(resume, 1));
    yield part;
  }
}
