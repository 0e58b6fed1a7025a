/**
 * What a collector is built from, and what a configuration makes of an exchange: its header with the configured figures, its addresses with their paths.
 * Bad case: a figure that is read from the registry instead of from here; then configuring it changes nothing.
 */
import type { CaptureWriter } from "../capture/mod.ts";
import type { ExchangeConfig } from "../config/mod.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { EndpointEntry } from "../segment/endpoints.ts";
import type { SegmentConfig } from "../segment/writer.ts";
import type { SyncSettings } from "../sync/mod.ts";
import type { FeedClock } from "./clock.ts";
import type { Fetch, SetTimer } from "./rest.ts";
import type { SocketFactory } from "./socket.ts";

/** Limits of a collector. Times in ms. */
export type CollectorLimits = SyncSettings & {
  readonly restTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly metadataAttemptsMax: number;
  /** Instruments at a time, those added at run time included. */
  readonly instrumentsMax: number;
  readonly reconnectBaseMs: number;
  readonly reconnectCapMs: number;
  /** 0 = no audits. */
  readonly auditPeriodMs: number;
  readonly auditConfirmMs: number;
};

/** A line for the log. */
export type Report = {
  readonly level: "info" | "warn" | "error";
  readonly text: string;
  readonly native?: string;
  /** What a machine wants to find, e.g. the state and its reason. */
  readonly fields?: Readonly<Record<string, string>>;
};

/** What a collector is built from. Times in ms. */
export type CollectorOptions = {
  readonly exchange: Exchange;
  readonly settings: ExchangeConfig;
  /** Canonical names. */
  readonly instruments: readonly string[];
  readonly limits: CollectorLimits;
  /** With its arena. */
  readonly kernel: Kernel;
  /** Bytes of that arena: so much is there for books that are added at run time. Default: nobody looks. */
  readonly arenaBytes?: number;
  readonly frame: { readonly address: number; readonly bytes: number };
  readonly segment: { readonly address: number; readonly config: SegmentConfig };
  readonly pid: number;
  readonly clock: FeedClock;
  readonly random: () => number;
  readonly openSocket: SocketFactory;
  readonly fetch: Fetch;
  /** For the timeouts of REST; the system's timers unless given. */
  readonly setTimer?: SetTimer;
  /** Runs a task when the current batch of frames is through, e.g. queueMicrotask. */
  readonly defer: (task: () => void) => void;
  readonly report: (report: Report) => void;
  readonly recorder?: CaptureWriter;
  /** It takes over from another: an instrument that is not listed any more costs itself only. Default false. */
  readonly isSuccessor?: boolean;
  /** How a predecessor left the exchange's addresses: those that demanded time are left alone until then. Default: none. */
  readonly left?: readonly EndpointEntry[];
  /** Every change of a book's state is reported. Default false. */
  readonly tellsStates?: boolean;
  /** Somebody makes a larger segment when books outgrow this one. Default false. */
  readonly canGrow?: boolean;
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
