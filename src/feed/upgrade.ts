/**
 * The opening handshake of a WebSocket as a client speaks it: the request, and what the answer means.
 * Bad case: a server that answers with an extension that nobody asked for; its frames could not be read, so it is refused.
 * @see RFC 6455, 4.1 and 4.2.2
 */
import { createHash, randomBytes } from "node:crypto";
import { retryAfterMs } from "./retry_after.ts";

/** An answer. `partial`: its head is not whole yet. */
export type UpgradeAnswer =
  | { readonly kind: "partial" }
  /** Frames begin behind `headBytes`. */
  | { readonly kind: "accepted"; readonly headBytes: number }
  | { readonly kind: "moved"; readonly url: string }
  | { readonly kind: "refused"; readonly reason: string; readonly refusal?: { status: number; retryAfterMs?: number } };

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES = 16;
const HEAD_END = "\r\n\r\n";
const HEAD_BYTES_MAX = 16_384;
/** Of what a server says, in a reason. */
const QUOTED_MAX = 200;
const STATUS_SWITCHING = 101;
const PROTOCOLS = ["ws:", "wss:", "http:", "https:"];

/** A fresh key for one handshake. */
export function upgradeKey(): string {
  return randomBytes(KEY_BYTES).toString("base64");
}

/** The request. @param key of upgradeKey */
export function upgradeRequest({ host, pathname, search, username, password }: URL, key: string): string {
  const given = `${decoded(username)}:${decoded(password)}`;
  const lines = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    ...(given === ":" ? [] : [`Authorization: Basic ${Buffer.from(given).toString("base64")}`]),
  ];
  return `${lines.join("\r\n")}${HEAD_END}`;
}

/**
 * Reads what came so far. @param text latin1, from the first byte @param options.url that was asked
 * @param options.key that was sent
 */
export function readUpgrade(text: string, { url, key }: { url: URL; key: string }): UpgradeAnswer {
  const end = text.indexOf(HEAD_END);
  if (end < 0) {
    return text.length < HEAD_BYTES_MAX ? { kind: "partial" } : refused("The server's answer has no end");
  }
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(statusLine)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) {
    return refused("The server does not speak HTTP");
  }
  const headers = readHeaders(lines);
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location !== undefined) {
    return moved(location, url);
  }
  if (status !== STATUS_SWITCHING) {
    const ms = retryAfterMs(headers.get("retry-after") ?? null, headers.get("date") ?? null);
    const refusal = { status, ...(ms === undefined ? {} : { retryAfterMs: ms }) };
    return { kind: "refused", reason: `Unexpected server response: ${status}`, refusal };
  }
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refused("Invalid Upgrade header");
  }
  if (!/(^|[\s,])upgrade($|[\s,])/i.test(headers.get("connection") ?? "")) {
    return refused("Invalid Connection header");
  }
  if (headers.get("sec-websocket-accept") !== acceptedKey(key)) {
    return refused("Invalid Sec-WebSocket-Accept header");
  }
  if (headers.has("sec-websocket-extensions") || headers.has("sec-websocket-protocol")) {
    return refused("The server chose an extension or a protocol that was not asked for");
  }
  return { kind: "accepted", headBytes: end + HEAD_END.length };
}

/** The proof of a key. */
export function acceptedKey(key: string): string {
  return createHash("sha1").update(`${key}${GUID}`).digest("base64");
}

/** A part of an address that breaks the rules of percent signs stands for itself: a server may have sent it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) {
      return part;
    }
    throw error;
  }
}

function moved(location: string, url: URL): UpgradeAnswer {
  const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
  const isSafe = next !== undefined && PROTOCOLS.includes(next.protocol) && !(isSecure(url) && !isSecure(next));
  return isSafe
    ? { kind: "moved", url: next.href }
    : refused(`The server sends us elsewhere, was ${location.slice(0, QUOTED_MAX)}`);
}

/** Whether an address asks for TLS. */
export function isSecure({ protocol }: URL): boolean {
  return protocol === "wss:" || protocol === "https:";
}

function readHeaders(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function refused(reason: string): UpgradeAnswer {
  return { kind: "refused", reason };
}
