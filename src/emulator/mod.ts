/**
 * The exchange emulator: local servers that speak the protocols of Coinbase Exchange, Kraken, Binance and Binance.US,
 * fed by a seeded synthetic market or by a capture, with faults by script and the truth on request. For the demo, for
 * tests, and for other people's clients. Bad case: a port that is taken; nothing is left running and the error names it.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type CoreOptions, openCore } from "./core.ts";
import { ExchangeServer } from "./server.ts";
import { type Emulator, endpointOf, surfaceOf, unstarted } from "./surface.ts";

export type { Moment } from "./book_history.ts";
export type { Clock } from "./clock.ts";
export type { CaptureSource, CoreOptions, MarketSource, TruthQuestion } from "./core.ts";
export type { ServerCounts } from "./exchange_core.ts";
export type { EventSpan, FaultEntry, FaultReport, TrueMoment } from "./fault_journal.ts";
export { existsOn, FAULT_KIND_NAMES, FAULT_KINDS, type FaultKind } from "./fault_kinds.ts";
export { type FaultScript, parseFaultScript, readFaultScript } from "./fault_script.ts";
export { type InMemoryEmulator, type InMemoryOptions, startInMemory } from "./in_memory.ts";
export { DEFAULT_INSTRUMENTS, type MarketInstrument } from "./instruments.ts";
export type { Emulator, Endpoint } from "./surface.ts";
export type { TrueBook, TrueLevel, TrueState } from "./truth.ts";
export { UNPROVEN_FRAME_KINDS } from "./unproven.ts";
export { VirtualClock } from "./virtual_clock.ts";

/** How to start an emulator. */
export type EmulatorOptions = CoreOptions & {
  /** Address to listen on; loopback unless told otherwise. */
  host?: string;
  /** 0 or absent for any free port. */
  ports?: Partial<Record<ExchangeId, number>>;
  /** Unix milliseconds. */
  now?: Clock["now"];
  /** Timers, where the system's are not wanted. */
  setTimer?: Clock["setTimer"];
};

/**
 * Starts servers for exchanges.
 * @returns when all of them listen
 * @throws ConfigError when a port is taken, a capture cannot be opened, an option does not fit, or a script aims at nothing
 * @throws DecodeError naming file and line when a capture is broken
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { host = "127.0.0.1", ports = {}, log = () => undefined } = options;
  const core = await openCore(options, clockOf(options));
  const servers: ExchangeServer[] = [];
  const endpoints = unstarted();
  try {
    for (const [exchange, exchangeCore] of core.exchanges) {
      const server = new ExchangeServer(exchangeCore, { host, port: ports[exchange] ?? 0, log });
      servers.push(server);
      const address = await server.listen();
      const endpoint = endpointOf(exchange, address, { core, hasTruth: options.truth ?? false });
      Object.defineProperty(endpoints, exchange, { value: endpoint, enumerable: true });
      log(`${exchange} listens on ${address}`);
    }
  } catch (cause) {
    await closeAll(servers);
    throw cause;
  }
  core.start();
  return {
    endpoints,
    ...surfaceOf(core),
    close: async () => {
      core.close();
      await closeAll(servers);
    },
  };
}

function clockOf({ now, setTimer }: EmulatorOptions): Clock {
  const system = systemClock(now);
  return setTimer === undefined ? system : { ...system, setTimer };
}

async function closeAll(servers: readonly ExchangeServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.close()));
}
