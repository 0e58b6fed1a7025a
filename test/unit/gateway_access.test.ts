/** Who may connect: keys, origins, addresses behind proxies, limits per address; hostile headers included. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { Access, type AccessRules, accessRules, KEY_SUBPROTOCOL } from "../../src/gateway/access.ts";
import { isLoopback, networkOf, plainAddress, readNetwork } from "../../src/gateway/addresses.ts";
import { completeLimits, type GatewayLimits } from "../../src/gateway/limits.ts";
import type { UpgradeRequest } from "../../src/gateway/transport.ts";

const KEY = "0123456789abcdef-secret";
const PLAIN: UpgradeRequest = {
  path: "/ws",
  query: "",
  address: "203.0.113.7",
  host: "feed.example:8765",
  origin: "",
  forwardedFor: "",
  authorization: "",
  apiKey: "",
  protocols: [],
};

class Gate {
  nowMs = 0;
  readonly access: Access;

  constructor(rules: Partial<AccessRules> = {}, limits: Partial<GatewayLimits> = {}) {
    this.access = new Access(accessRules(rules), { limits: completeLimits(limits), now: () => this.nowMs });
  }

  /** Status of the refusal, 101 when it may connect. */
  ask(request: Partial<UpgradeRequest> = {}, connected = 0): number {
    return this.access.refuse({ ...PLAIN, ...request }, connected)?.status ?? 101;
  }
}

describe("Access keys", () => {
  const gate = new Gate({
    keys: [
      { name: "first", key: "another-key-of-somebody" },
      { name: "second", key: KEY },
    ],
  });

  it.each([
    ["authorization", { authorization: `Bearer ${KEY}` }],
    ["authorization in lower case", { authorization: `bearer  ${KEY} ` }],
    ["x-api-key", { apiKey: KEY }],
    ["subprotocol", { protocols: ["alphapulse.v1.bin", KEY_SUBPROTOCOL + Buffer.from(KEY).toString("base64url")] }],
    ["query", { query: `a=1&key=${encodeURIComponent(KEY)}` }],
  ])("opens when the key comes as %s", (_name, request) => {
    expect(gate.ask(request)).toBe(101);
  });

  it.each([
    ["there is none", {}],
    ["it is another", { apiKey: `${KEY}x` }],
    ["it is a part", { apiKey: KEY.slice(0, -1) }],
    ["it is empty", { authorization: "Bearer ", query: "key=" }],
    ["the header is another scheme", { authorization: `Basic ${KEY}` }],
    ["the subprotocol is no base64", { protocols: [`${KEY_SUBPROTOCOL}%%%`] }],
  ])("refuses with 401 and counts when %s", (_name, request) => {
    const before = gate.access.refusals.key;
    expect(gate.ask(request)).toBe(401);
    expect(gate.access.refusals.key).toBe(before + 1);
  });

  it("never lets anything else in, and never throws, whatever the headers are", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.string()), fc.string(), (a, b, protocols, query) => {
        fc.pre(![a, b, query, ...protocols].some((text) => text.includes(KEY)));
        const status = gate.ask({ authorization: a, apiKey: b, protocols, query, origin: b, forwardedFor: a });
        expect([401, 403, 429]).toContain(status);
        gate.nowMs += 1000;
      }),
    );
  });
});

describe("Access origins", () => {
  it.each([
    ["no page", "", 101],
    ["its own page", "https://feed.example:8765", 101],
    ["its own host on another port", "https://feed.example", 403],
    ["another page", "https://evil.example", 403],
    ["a local page from elsewhere", "http://localhost:5173", 403],
    ["a local file", "null", 403],
    ["no URL", "://", 403],
  ])("judges %s by the gateway's own host when nothing is configured", (_name, origin, status) => {
    expect(new Gate().ask({ origin })).toBe(status);
  });

  it("lets pages of this machine in when the client is on this machine", () => {
    expect(new Gate().ask({ origin: "http://localhost:5173", address: "127.0.0.1" })).toBe(101);
    expect(new Gate().ask({ origin: "http://[::1]:5173", address: "::ffff:127.0.0.1" })).toBe(101);
    expect(new Gate().ask({ origin: "https://evil.example", address: "127.0.0.1" })).toBe(403);
  });

  it("lets exactly the configured origins in, or all", () => {
    const some = new Gate({ origins: ["https://app.example", "null"] });
    expect([some.ask({ origin: "https://app.example" }), some.ask({ origin: "null" })]).toEqual([101, 101]);
    expect(some.ask({ origin: "https://app.example.evil" })).toBe(403);
    expect(new Gate({ origins: ["*"] }).ask({ origin: "https://evil.example" })).toBe(101);
  });
});

describe("Access behind proxies", () => {
  const gate = new Gate({ proxies: ["10.0.0.0/8", "fd00::/8", "192.0.2.1"] });
  const from = (address: string, forwardedFor: string) => gate.access.addressOf({ ...PLAIN, address, forwardedFor });

  it("believes X-Forwarded-For from configured proxies only, from the right", () => {
    expect(from("10.1.2.3", "198.51.100.9")).toBe("198.51.100.9");
    expect(from("198.51.100.1", "1.1.1.1")).toBe("198.51.100.1");
    expect(from("10.1.2.3", "6.6.6.6, 198.51.100.9, 10.9.9.9")).toBe("198.51.100.9");
    expect(from("::ffff:10.1.2.3", "6.6.6.6,fd00::5")).toBe("6.6.6.6");
  });

  it("stays with the nearest address when the header is missing or no address", () => {
    expect(from("10.1.2.3", "")).toBe("10.1.2.3");
    expect(from("10.1.2.3", "unknown, <script>")).toBe("10.1.2.3");
    expect(from("192.0.2.1", "10.0.0.1")).toBe("10.0.0.1");
  });

  it("refuses rules that name no network", () => {
    expect(() => accessRules({ proxies: ["10.0.0.0/33"] })).toThrow(ConfigError);
    expect(() => accessRules({ proxies: ["proxy.example"] })).toThrow("proxy.example");
  });
});

describe("Access limits", () => {
  it("refuses an address with too many connections until one is closed", () => {
    const gate = new Gate({}, { connectionsPerAddressMax: 2 });
    gate.access.opened(PLAIN.address);
    gate.access.opened(PLAIN.address);
    expect([gate.ask(), gate.ask({ address: "203.0.113.8" })]).toEqual([429, 101]);
    gate.access.closed(PLAIN.address);
    expect(gate.ask()).toBe(101);
    expect(gate.access.refusals.address_connections).toBe(1);
  });

  it("counts the addresses of one IPv6 network together", () => {
    const gate = new Gate({}, { connectionsPerAddressMax: 1 });
    gate.access.opened("2001:db8:1:2:aaaa::1");
    expect(gate.ask({ address: "2001:0db8:0001:0002:0000:0000:0000:beef" })).toBe(429);
    expect(gate.ask({ address: "2001:db8:1:3::1" })).toBe(101);
  });

  it("refuses ten thousand attempts of one address beyond its rate, and nobody else's", () => {
    const gate = new Gate({}, { attemptsPerAddressPerSecondMax: 50 });
    const statuses = Array.from({ length: 10_000 }, () => gate.ask());
    expect(statuses.filter((status) => status === 101)).toHaveLength(500);
    expect(gate.access.refusals.address_attempts).toBe(9500);
    expect(gate.ask({ address: "203.0.113.8" })).toBe(101);
    gate.nowMs += 1000;
    expect(Array.from({ length: 60 }, () => gate.ask()).filter((status) => status === 101)).toHaveLength(50);
  });

  it("refuses everybody with 503 when the server is full", () => {
    const gate = new Gate({}, { connectionsMax: 3 });
    expect([gate.ask({}, 2), gate.ask({}, 3)]).toEqual([101, 503]);
  });

  it("remembers a bounded number of addresses, and forgets none that is connected", () => {
    const gate = new Gate({}, { addressesMax: 100, connectionsPerAddressMax: 1 });
    gate.access.opened("198.51.100.1");
    for (let index = 0; index < 10_000; index++) {
      gate.ask({ address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` });
    }
    expect(gate.ask({ address: "198.51.100.1" })).toBe(429);
    expect(gate.access.addresses).toBeLessThanOrEqual(101);
  });
});

describe("addresses", () => {
  it("are plain when IPv4 comes in IPv6", () => {
    expect(plainAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(plainAddress("0000:0000:0000:0000:0000:ffff:c000:0201")).toBe("192.0.2.1");
    expect(plainAddress("2001:0db8:0000:0000:0000:0000:0000:0001")).toBe("2001:db8::1");
    expect(plainAddress("memory")).toBe("memory");
  });

  it("know their network", () => {
    expect(networkOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
    expect(networkOf("::1")).toBe("0:0:0:0::/64");
    expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
  });

  it("are read as networks only when they are some", () => {
    expect(readNetwork("10.0.0.0/8")).toEqual({ address: "10.0.0.0", bits: 8, family: "ipv4" });
    expect(readNetwork("::1")).toEqual({ address: "::1", bits: 128, family: "ipv6" });
    expect(["", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "a/8"].map(readNetwork)).toEqual(
      new Array(5).fill(undefined),
    );
  });

  it("are of this machine when they are loopback", () => {
    expect(["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"].map(isLoopback)).toEqual(new Array(5).fill(true));
    expect(["128.0.0.1", "example.com", ""].map(isLoopback)).toEqual([false, false, false]);
  });
});
