/**
 * The configuration: precedence, types, names in errors. Bad case: a typo that is silently ignored.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environmentName, keyName } from "../../src/config/keys.ts";
import {
  CONFIG_KEYS,
  type ConfigSources,
  loadConfig,
  nearestNames,
  readConfigFile,
  selectExchanges,
} from "../../src/config/mod.ts";
import { ConfigError } from "../../src/errors.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";

function toml(text: string): ConfigSources {
  return { file: { path: "alphapulse.toml", text } };
}

function refusal(sources: ConfigSources): string {
  try {
    loadConfig(sources);
  } catch (error) {
    return error instanceof ConfigError ? error.message : `not a ConfigError: ${String(error)}`;
  }
  return "not refused";
}

describe("loadConfig", () => {
  it("gives every setting its default when nothing is set, the exchanges' own figures among them", () => {
    const config = loadConfig({});
    expect([config.host, config.port, config.kernel]).toEqual(["127.0.0.1", 8765, "wasm"]);
    for (const id of EXCHANGE_IDS) {
      const { header } = EXCHANGES[id];
      expect(config.exchanges[id]).toEqual({
        instruments: header.defaultInstruments,
        websocketUrls: header.websocketUrls,
        restUrl: header.restUrl,
        depth: header.defaultDepth,
        snapshotLevels: header.snapshotLevels,
        imageLevels: header.imageLevels,
        idleMs: header.timing.idleMs,
        ackMs: header.timing.ackMs,
        firstDataMs: header.timing.firstDataMs,
        auditLevels: header.audit.levels,
        auditBeforeMs: header.audit.beforeMs,
        auditAfterMs: header.audit.afterMs,
      });
    }
  });

  it("lets flags win over the environment, and that over the file", () => {
    const file = toml('port = 1\nhost = "::1"\n[gateway]\nidle_seconds = 1\n').file;
    const environment = { ALPHAPULSE_PORT: "2", ALPHAPULSE_GATEWAY_IDLE_SECONDS: "2" };
    const config = loadConfig({ ...(file === undefined ? {} : { file }), environment, flags: { port: "3" } });
    expect([config.port, config.gateway.idleSeconds, config.host]).toEqual([3, 2, "::1"]);
  });

  it("reads lists, numbers and nested keys from every source", () => {
    const config = loadConfig({
      ...toml('exchange = ["kraken"]\n[exchanges.kraken]\ninstruments = ["btc-usd", "ETH-EUR"]\ndepth = 100\n'),
      environment: { ALPHAPULSE_EXCHANGES_KRAKEN_WEBSOCKET_URLS: "ws://127.0.0.1:1/v2, ws://127.0.0.1:2/v2" },
      flags: { "emulator.rate": "2.5" },
    });
    expect(config.exchanges.kraken.instruments).toEqual(["BTC-USD", "ETH-EUR"]);
    expect(config.exchanges.kraken.websocketUrls).toEqual(["ws://127.0.0.1:1/v2", "ws://127.0.0.1:2/v2"]);
    expect([config.exchanges.kraken.depth, config.emulator.rate]).toEqual([100, 2.5]);
  });

  it("takes EXCHANGE and SYMBOLS without a prefix, aliases included", () => {
    const config = loadConfig({ environment: { EXCHANGE: "coinbase,kraken", SYMBOLS: "BTC-USD kraken:ETH-EUR" } });
    expect(config.exchange).toEqual(["coinbase_exchange", "kraken"]);
    expect(selectExchanges(config).map(({ id, instruments }) => [id, instruments])).toEqual([
      ["coinbase_exchange", ["BTC-USD"]],
      ["kraken", ["BTC-USD", "ETH-EUR"]],
    ]);
  });

  it("names key, value and source when a value does not fit", () => {
    expect(refusal(toml("port = 70000"))).toMatch(/^Cannot use alphapulse\.toml: port: .*65535.*, was 70000$/);
    expect(refusal({ environment: { ALPHAPULSE_KERNEL: "rust" } })).toMatch(
      /^Cannot use ALPHAPULSE_KERNEL: kernel: .*, was "rust"$/,
    );
    expect(refusal({ flags: { "exchanges.kraken.depth": "50" } })).toMatch(
      /^Cannot use a flag: exchanges\.kraken\.depth: must be one of 10, 25, 100, 500, 1000, was "50"$/,
    );
    expect(refusal({ environment: { SYMBOLS: "BTCUSD" } })).toMatch(/^Cannot use SYMBOLS: symbols: .*, was "BTCUSD"$/);
    expect(refusal({ flags: { "exchanges.kraken.rest_url": "ftp://x" } })).toMatch(
      /rest_url: must be a URL .*, was "ftp:\/\/x"$/,
    );
    expect(refusal({ environment: { EXCHANGE: "mtgox" } })).toMatch(/^Cannot use EXCHANGE: exchange: .*, was "mtgox"$/);
    expect(refusal({ flags: { "segment.delta_capacity": "5000" } })).toMatch(/must be a power of two, was "5000"$/);
  });

  it("refuses unknown keys with the nearest name", () => {
    expect(refusal(toml("[gatway]\nidle_seconds = 1"))).toBe(
      "Cannot use alphapulse.toml: no setting is called gatway.idle_seconds, nearest is gateway.idle_seconds, was 1",
    );
    expect(refusal({ environment: { ALPHAPULSE_PROT: "1" } })).toMatch(/ALPHAPULSE_PROT, nearest is ALPHAPULSE_PORT/);
    expect(refusal({ flags: { hots: "x" } })).toMatch(/called hots, nearest is host/);
    expect(refusal(toml("gateway = 5"))).toMatch(/called gateway,? ?.*was 5$/);
  });

  it("lets variables of the tests and other programs alone", () => {
    expect(() => loadConfig({ environment: { ALPHAPULSE_CAPTURES: "/x", PORT: "99999999", HOME: "/" } })).not.toThrow();
  });

  it("names the line when the file is no TOML", () => {
    expect(refusal(toml("port = 1\nhost = "))).toMatch(/^Cannot read alphapulse\.toml:2: /);
  });
});

describe("selectExchanges", () => {
  it("refuses a symbol of an exchange that does not run, and an exchange without instruments", () => {
    const chosen = (EXCHANGE: string, SYMBOLS: string) => () =>
      selectExchanges(loadConfig({ environment: { EXCHANGE, SYMBOLS } }));
    expect(chosen("kraken", "binance:BTC-USDT")).toThrow(/binance does not run, only kraken, was binance:BTC-USDT/);
    expect(chosen("kraken,binance", "kraken:BTC-USD")).toThrow(/Cannot run binance: it has no instruments/);
  });
});

describe("the keys", () => {
  it("are all different in the environment", () => {
    const names = CONFIG_KEYS.map((key) => key.toUpperCase().replaceAll(".", "_"));
    expect(new Set(names).size).toBe(CONFIG_KEYS.length);
    expect(CONFIG_KEYS.length).toBeGreaterThan(60);
  });

  it("are spelled for file and environment", () => {
    expect(keyName(["gateway", "idleSeconds"])).toBe("gateway.idle_seconds");
    expect(environmentName(["exchanges", "binance_us", "restUrl"])).toBe("ALPHAPULSE_EXCHANGES_BINANCE_US_REST_URL");
  });
});

describe("readConfigFile", () => {
  it("finds nothing when no file was named and none is there, and refuses when a named one is missing", () => {
    expect(() => readConfigFile("absent.toml")).toThrow(ConfigError);
    const folder = mkdtempSync(join(tmpdir(), "alphapulse-config-"));
    try {
      const path = join(folder, "x.toml");
      writeFileSync(path, "port = 1\n");
      expect(readConfigFile(path)).toEqual({ path, text: "port = 1\n" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("nearestNames", () => {
  it("finds what was probably meant, best first, and nothing when nothing is alike", () => {
    const names = ["BTC-USD", "BTC-USDT", "ETH-USD", "DOGE-USD"];
    expect(nearestNames("BTC-UDS", names)[0]).toBe("BTC-USD");
    expect(nearestNames("btcusd", names)[0]).toBe("BTC-USD");
    expect(nearestNames("zzzzzzzz", names)).toEqual([]);
  });
});
