/**
 * The opening handshake of an exchange's socket: what is asked, and what an answer means.
 * Bad case: an answer that is taken for an acceptance; every part of it that could be wrong is made wrong once.
 */
import { describe, expect, it } from "vitest";
import { acceptedKey, readUpgrade, upgradeKey, upgradeRequest } from "../../src/feed/upgrade.ts";

/** Of RFC 6455, 1.3. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const PROOF = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const URL_ASKED = new URL("wss://exchange.example:8443/ws?stream=a");

function answer(text: string, url = URL_ASKED) {
  return readUpgrade(text, { url, key: KEY });
}

function accepted(changes: Record<string, string> = {}): string {
  const headers = { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Accept": PROOF, ...changes };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`;
}

describe("upgradeRequest", () => {
  it("names host, path and key when it asks", () => {
    const lines = upgradeRequest(URL_ASKED, KEY).split("\r\n");
    expect(lines[0]).toBe("GET /ws?stream=a HTTP/1.1");
    expect(lines).toContain("Host: exchange.example:8443");
    expect(lines).toContain(`Sec-WebSocket-Key: ${KEY}`);
    expect(lines.some((line) => line.startsWith("Authorization") || line.includes("Extensions"))).toBe(false);
    expect(lines.slice(-2)).toEqual(["", ""]);
  });

  it("authorises itself when the address holds a name and a password", () => {
    const text = upgradeRequest(new URL("ws://us%3Aer:pass@127.0.0.1/"), KEY);
    expect(text).toContain(`Authorization: Basic ${Buffer.from("us:er:pass").toString("base64")}\r\n`);
  });

  it("takes a name that cannot be decoded as it stands when a server sent us there", () => {
    const text = upgradeRequest(new URL("ws://%:50%25@127.0.0.1/"), KEY);
    expect(text).toContain(`Authorization: Basic ${Buffer.from("%:50%").toString("base64")}\r\n`);
  });

  it("has a fresh key of 16 bytes when one is made", () => {
    expect(Buffer.from(upgradeKey(), "base64").length).toBe(16);
    expect(upgradeKey()).not.toBe(upgradeKey());
  });
});

describe("readUpgrade", () => {
  it("accepts the proof of the RFC, whatever case names have, and says where frames begin", () => {
    expect(acceptedKey(KEY)).toBe(PROOF);
    const text = accepted();
    expect(answer(`${text}frames`)).toEqual({ kind: "accepted", headBytes: text.length });
    expect(answer(accepted().replace("Upgrade: websocket", "uPGRADE: WebSocket")).kind).toBe("accepted");
  });

  it("waits when the head is not whole, and gives up when it never ends", () => {
    expect(answer(accepted().slice(0, -1))).toEqual({ kind: "partial" });
    expect(answer("x".repeat(70_000)).kind).toBe("refused");
  });

  it.each([
    ["another status", "HTTP/1.1 451 Unavailable\r\n\r\n", "Unexpected server response: 451"],
    ["no HTTP", "SSH-2.0-x\r\n\r\n", "The server does not speak HTTP"],
    ["another proof", accepted({ "Sec-WebSocket-Accept": "x" }), "Invalid Sec-WebSocket-Accept header"],
    ["another upgrade", accepted({ Upgrade: "h2c" }), "Invalid Upgrade header"],
    ["no word of the connection", accepted({ Connection: "close" }), "Invalid Connection header"],
    ["an extension", accepted({ "Sec-WebSocket-Extensions": "permessage-deflate" }), "not asked for"],
    ["a protocol", accepted({ "Sec-WebSocket-Protocol": "soap" }), "not asked for"],
  ])("refuses when the answer has %s", (_, text, reason) => {
    expect(answer(text)).toMatchObject({ kind: "refused", reason: expect.stringContaining(reason) });
  });

  it("tells status and how long to stay away when it is refused", () => {
    const refusal = (...lines: string[]) => {
      const told = answer(`HTTP/1.1 ${lines.join("\r\n")}\r\n\r\n`);
      return told.kind === "refused" ? told.refusal : told.kind;
    };
    expect(refusal("503 Busy")).toEqual({ status: 503 });
    expect(refusal("429 Too Many", "Retry-After: 7")).toEqual({ status: 429, retryAfterMs: 7000 });
    const dated = ["Date: Mon, 23 Nov 2026 00:00:00 GMT", "Retry-After: Mon, 23 Nov 2026 00:01:30 GMT"];
    expect(refusal("503 Busy", ...dated)).toEqual({ status: 503, retryAfterMs: 90_000 });
    expect(refusal("503 Busy", "Retry-After: soon")).toEqual({ status: 503 });
    expect(refusal("503 Busy", dated[1] ?? "")).toEqual({ status: 503 });
    expect(refusal("418 Banned", `Retry-After: ${"9".repeat(400)}`)).toEqual({
      status: 418,
      retryAfterMs: 259_200_000,
    });
  });

  it("follows when the server sends us elsewhere, but neither to plain text nor to other protocols", () => {
    const moved = (location: string, url?: URL) => answer(`HTTP/1.1 307 Moved\r\nLocation: ${location}\r\n\r\n`, url);
    expect(moved("/v2")).toEqual({ kind: "moved", url: "wss://exchange.example:8443/v2" });
    expect(moved("https://other.example/ws")).toEqual({ kind: "moved", url: "https://other.example/ws" });
    expect(moved("ws://other.example/ws").kind).toBe("refused");
    expect(moved("ws://other.example/ws", new URL("ws://exchange.example/")).kind).toBe("moved");
    expect(moved("file:///etc/passwd").kind).toBe("refused");
    expect(moved("ws://").kind).toBe("refused");
  });
});
