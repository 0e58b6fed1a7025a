/**
 * What the configuration says of the gateway, as the gateway takes it: limits, views and who may connect.
 * Bad case: a certificate without its key; refused before anything is opened.
 */
import type { Config } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import type { AccessRules, GatewayLimits, GatewayOptions, ViewSets } from "../gateway/mod.ts";

/** What is configured for a gateway. */
export type GatewayPart = { limits: GatewayLimits; views: ViewSets; access: AccessRules } & Pick<
  GatewayOptions,
  "arbitrage" | "drainMs"
>;

/**
 * The gateway's part of a configuration.
 * @throws ConfigError when only one of certificate and key is named
 */
export function gatewayOptions(config: Config): GatewayPart {
  const { arenaBytes: _arena, depths, rates, drainMs, ...limits } = config.gateway;
  const { keys, origins, proxies, tlsCertFile: certFile, tlsKeyFile: keyFile } = config.access;
  if ((certFile === "") !== (keyFile === "")) {
    throw new ConfigError(
      `Cannot serve TLS: tls_cert_file and tls_key_file belong together, was "${certFile}" and "${keyFile}"`,
    );
  }
  const named = keys.map((text) => {
    const colon = text.indexOf(":");
    return { name: text.slice(0, colon), key: text.slice(colon + 1) };
  });
  const tls = certFile === "" ? {} : { tls: { certFile, keyFile } };
  const { enabled, ...rules } = config.arbitrage;
  const arbitrage = enabled ? rules : undefined;
  return { limits, views: { depths, rates }, access: { keys: named, origins, proxies, ...tls }, arbitrage, drainMs };
}
