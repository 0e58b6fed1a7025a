/**
 * What the sync wants from the shell around it: sending, fetching, reconnecting, reporting. Plain values, so that a test
 * or a replay can look at them or leave them. Bad case: a shell that forgets to drain them; they are bounded by the events.
 */
import type { ClientMessage, RestRequest } from "../exchanges/mod.ts";

/** One wish. */
export type SyncAction =
  /** Send on a connection, paced. */
  | { readonly do: "send"; readonly connection: number; readonly message: ClientMessage }
  /** Fetch a REST snapshot and hand it back with its token. */
  | { readonly do: "snapshot"; readonly native: string; readonly request: RestRequest; readonly token: number }
  /** Replace a connection; `graceful`: the old one still works, so overlap if the exchange's sequences allow it. */
  | { readonly do: "reconnect"; readonly connection: number; readonly graceful: boolean; readonly why: string }
  /** The exchange says that we send too fast. */
  | { readonly do: "slow_down"; readonly connection: number }
  | {
      readonly do: "report";
      readonly level: "info" | "warn" | "error";
      readonly text: string;
      readonly native?: string;
    };

/** Settings of the sync that are not the exchange's. Times in ms. */
export type SyncSettings = {
  readonly bufferFramesMax: number;
  readonly bufferBytesMax: number;
  readonly repairBaseMs: number;
  readonly repairCapMs: number;
  readonly healthyMs: number;
  readonly suspectMs: number;
  readonly refusedMs: number;
};

/** The settings unless configured. */
export const SYNC_SETTINGS: SyncSettings = {
  bufferFramesMax: 5000,
  bufferBytesMax: 16 * 1024 * 1024,
  repairBaseMs: 500,
  repairCapMs: 30_000,
  healthyMs: 60_000,
  suspectMs: 60_000,
  refusedMs: 30_000,
};
