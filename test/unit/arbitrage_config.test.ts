/**
 * The settings of arbitrage: defaults from the exchanges' own files, fees that cannot be reckoned with, currencies.
 * Bad case: a fee that is rounded silently; a fifth decimal is refused.
 */
import { describe, expect, it } from "vitest";
import { gatewayOptions } from "../../src/commands/gateway_options.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { ConfigError } from "../../src/errors.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";

describe("The settings of arbitrage", () => {
  it("take each exchange's public fee unless the account's own is set", () => {
    const { arbitrage } = gatewayOptions(loadConfig({ flags: { "arbitrage.fees_bps.kraken": "2.5" } }));
    for (const id of EXCHANGE_IDS) {
      expect(arbitrage?.feesBps[id], id).toBe(id === "kraken" ? 2.5 : EXCHANGES[id].header.takerFeeBps);
    }
    expect(arbitrage).toMatchObject({ profitBpsMin: 0, ageMsMax: 2000, triangular: false, equivalents: [] });
  });

  it("read currencies that count as the same, and switches, from every source", () => {
    const text = '[arbitrage]\nequivalents = ["USD=usdc=USDT", "EUR=EURC"]\ntriangular = true\n';
    const { arbitrage } = loadConfig({ file: { path: "alphapulse.toml", text } });
    expect([arbitrage.equivalents, arbitrage.triangular]).toEqual([
      [
        ["USD", "USDC", "USDT"],
        ["EUR", "EURC"],
      ],
      true,
    ]);
    const environment = { ALPHAPULSE_ARBITRAGE_EQUIVALENTS: "USD=USDT", ALPHAPULSE_ARBITRAGE_TRIANGULAR: "true" };
    expect(loadConfig({ environment }).arbitrage).toMatchObject({ equivalents: [["USD", "USDT"]], triangular: true });
  });

  it("leave arbitrage out when it is switched off", () => {
    expect(gatewayOptions(loadConfig({ flags: { "arbitrage.enabled": "false" } })).arbitrage).toBeUndefined();
  });

  it.each([
    ["arbitrage.fees_bps.kraken", "0.00001"],
    ["arbitrage.fees_bps.kraken", "-1"],
    ["arbitrage.equivalents", "USD"],
    ["arbitrage.triangular", "perhaps"],
    ["arbitrage.levels_max", "0"],
  ])("refuse %s = %s by name", (key, value) => {
    expect(() => loadConfig({ flags: { [key]: value } })).toThrow(ConfigError);
    expect(() => loadConfig({ flags: { [key]: value } })).toThrow(key);
  });
});
