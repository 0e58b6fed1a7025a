/**
 * What an emulator shows of itself, whatever its shell: addresses, counts, faults, truth.
 * Bad case: an address of an exchange that was not started; asking for it is an error, not undefined.
 */
import { EXCHANGE_IDS, type ExchangeId } from "../model/exchange_id.ts";
import type { EmulatorCore, TruthQuestion } from "./core.ts";
import type { ServerCounts } from "./exchange_core.ts";
import type { FaultReport } from "./fault_journal.ts";
import { TRUTH_PATH, type TrueBook, type TrueState } from "./truth.ts";

/** Where an exchange can be reached. */
export type Endpoint = {
  /** As the real one would be given, e.g. `ws://127.0.0.1:40123/v2`; Binance without a path. */
  websocket: string;
  /** e.g. `http://127.0.0.1:40123`. */
  rest: string;
  /** With `truth`: e.g. `http://127.0.0.1:40123/truth`. */
  truth?: string;
};

/** A running emulator. */
export type Emulator = {
  /** Where each started exchange can be reached; reading one that was not started throws a RangeError. */
  endpoints: Readonly<Record<ExchangeId, Endpoint>>;
  /** Capture: the last recorded frame has been sent to every subscribed client. Market: never. */
  finished: Promise<void>;
  /** What each server has done. */
  counts(): Partial<Record<ExchangeId, ServerCounts>>;
  /** What was injected so far. */
  faults(): FaultReport;
  /**
   * What a client must hold that applied every frame sent so far (Kraken: up to its depth; Binance: after a REST answer
   * in mid-batch the book is ahead of the stream until the next frame). Exact at any time after `pause`.
   * @throws RangeError when the source is a capture or does not list the symbol
   */
  trueBook(exchange: ExchangeId, nativeSymbol: string): TrueBook;
  /**
   * With `truth`: the book at one of its last 10,000 events.
   * @throws RangeError when it is not known, with the reason
   */
  truth(exchange: ExchangeId, nativeSymbol: string, question?: TruthQuestion): TrueState;
  /** Market: publishes what is pending and stops simulated time. Heartbeats go on. */
  pause(): void;
  /** Market: goes on. */
  resume(): void;
  /** Cuts every client and frees the ports, within a second. */
  close(): Promise<void>;
};

/** What every shell hands on from its core. */
export function surfaceOf(core: EmulatorCore): Omit<Emulator, "endpoints" | "close"> {
  return {
    finished: core.player?.finished ?? new Promise(() => undefined),
    counts: () => core.counts(),
    faults: () => core.faults(),
    trueBook: (exchange, nativeSymbol) => core.trueBook(exchange, nativeSymbol),
    truth: (exchange, nativeSymbol, question) => core.truth(exchange, nativeSymbol, question),
    pause: () => core.pause(),
    resume: () => core.resume(),
  };
}

/** The addresses of one exchange. @param address host and port */
export function endpointOf(
  exchange: ExchangeId,
  address: string,
  { core, hasTruth }: { core: EmulatorCore; hasTruth: boolean },
): Endpoint {
  const isSecond = exchange === "kraken" && !(core.player?.capture.isKrakenV1 ?? false);
  const rest = `http://${address}`;
  return {
    websocket: `ws://${address}${isSecond ? "/v2" : ""}`,
    rest,
    ...(hasTruth ? { truth: rest + TRUTH_PATH } : {}),
  };
}

/** Addresses to be filled in: every exchange has a key, so that callers need not ask; the ones not started refuse. */
export function unstarted(): Record<ExchangeId, Endpoint> {
  const refusals = EXCHANGE_IDS.map((exchange): [ExchangeId, PropertyDescriptor] => {
    const get = (): never => {
      throw new RangeError(`Cannot give an endpoint: the exchange was not started, was ${exchange}`);
    };
    return [exchange, { get, configurable: true, enumerable: false }];
  });
  return Object.defineProperties({} as Record<ExchangeId, Endpoint>, Object.fromEntries(refusals));
}
