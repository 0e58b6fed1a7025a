/**
 * What a collector's worker thread is given, and what it and its supervisor say to each other: plain values only.
 * Bad case: a message of another build; both sides come from the same bundle folder, so there is none.
 */
import type { Config, ExchangeConfig } from "../config/mod.ts";
import type { KernelName } from "../kernel/kernel.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import type { EndpointEntry } from "../segment/endpoints.ts";
import type { MemoryRange } from "../segment/memory_map.ts";
import type { SegmentConfig, SegmentShortage } from "../segment/writer.ts";
import type { Report } from "./collector.ts";
import type { FeedChange } from "./feed_changes.ts";

/** `workerData` of a collector's worker. */
export type WorkerStart = {
  readonly exchange: ExchangeId;
  readonly settings: ExchangeConfig;
  /** Canonical names. */
  readonly instruments: readonly string[];
  readonly limits: Config["collector"];
  readonly record: Config["record"];
  readonly kernelName: KernelName;
  /** Compiled kernel; absent for the twin. */
  readonly kernelModule?: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly arena: MemoryRange;
  readonly frame: MemoryRange;
  readonly segment: MemoryRange;
  readonly segmentConfig: SegmentConfig;
  readonly pid: number;
  /** Another worker had this post before. */
  readonly isSuccessor: boolean;
  /** How that one left the exchange's addresses. */
  readonly left: readonly EndpointEntry[];
  /** Address of the mapped file of readers in other processes, who are woken through it; absent = there are none. */
  readonly readers?: number;
};

/** From the worker. */
export type WorkerMessage =
  /** The segment is live. */
  | { readonly type: "live" }
  /** The instruments are checked and connecting has begun. */
  | { readonly type: "ready" }
  /** Instruments found no room in the segment and wait for a larger one. */
  | { readonly type: "outgrown"; readonly shortages: readonly SegmentShortage[] }
  /** The configuration cannot be used. */
  | { readonly type: "refused"; readonly message: string }
  /** What became of a change that was asked for. */
  | { readonly type: "changed"; readonly request: number; readonly change: FeedChange }
  | { readonly type: "report"; readonly report: Report }
  /** Everything is closed; the worker ends. */
  | { readonly type: "stopped" };

/** To the worker. */
export type SupervisorMessage =
  | { readonly type: "stop" }
  /** Another epoch takes over: stop, and tell readers that they need not take it for the end. */
  | { readonly type: "make_way" }
  /** There will be no larger segment. */
  | { readonly type: "no_room" }
  | FeedRequest;

/** An instrument is to come or to go; answered with `changed` and the same number. */
export type FeedRequest = {
  readonly type: "add" | "remove";
  readonly request: number;
  /** `BASE-QUOTE` */
  readonly canonical: string;
};
