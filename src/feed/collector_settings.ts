/**
 * What a configuration makes of an exchange: its header with the configured figures, its addresses with their paths.
 * Bad case: a figure that is read from the registry instead of from here; then configuring it changes nothing.
 */
import type { ExchangeConfig } from "../config/mod.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { SyncSettings } from "../sync/mod.ts";

/** Limits of a collector. Times in ms. */
export type CollectorLimits = SyncSettings & {
  readonly restTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly metadataAttemptsMax: number;
  readonly reconnectBaseMs: number;
  readonly reconnectCapMs: number;
  /** 0 = no audits. */
  readonly auditPeriodMs: number;
  readonly auditConfirmMs: number;
};

/** The exchange with the timers and levels that are configured. */
export function configured(exchange: Exchange, settings: ExchangeConfig): Exchange {
  const { idleMs, ackMs, firstDataMs, snapshotLevels, imageLevels } = settings;
  const { auditLevels: levels, auditBeforeMs: beforeMs, auditAfterMs: afterMs } = settings;
  const timing = { ...exchange.header.timing, idleMs, ackMs, firstDataMs };
  const audit = { ...exchange.header.audit, levels, beforeMs, afterMs };
  return { ...exchange, header: { ...exchange.header, timing, snapshotLevels, imageLevels, audit } };
}

/** Adds the exchange's path to an address that has none. */
export function completeUrl(url: string, path: string): string {
  const parsed = new URL(url);
  if (parsed.pathname === "/" && path !== "") {
    parsed.pathname = path;
  }
  return parsed.href;
}
