/**
 * One client of the stream: the real one of src/client, on a connection in memory, with what it saw counted.
 * Bad case: a client that is asked for its book between two checks; `provedVersion` says how far the hash reached.
 */
import { createClient } from "../../../src/client/client.ts";
import type { SlotStore } from "../../../src/client/instrument_slot.ts";
import type { ClientEvent, JsonLevel, StreamClient } from "../../../src/client/mod.ts";
import { TIMING } from "../../../src/client/socket.ts";
import { SocketBackend, type SocketBackendOptions } from "../../../src/client/socket_backend.ts";
import type { ViewSlot } from "../../../src/client/view_slot.ts";
import type { Clock } from "../../../src/emulator/clock.ts";
import type { Policy } from "../../../src/wire/protocol.ts";
import type { Damage, DownstreamFaults } from "./faults.ts";
import type { MemoryConnection, Way } from "./memory_connection.ts";
import type { MemoryTransport } from "./memory_transport.ts";
import { memoryWebSocket } from "./memory_web_socket.ts";
import { repeat } from "./repeat.ts";
import type { TextWitness } from "./text_witness.ts";

const WINDOW_BYTES = 262_144;
const SLOW_WINDOW_BYTES = 2048;

/** `prompt` reads at once, `slow` is bounded in its reading, `resuming` is cut off now and then. */
export type ClientKind = "prompt" | "slow" | "resuming";

/** A book as a client holds it. */
export type SimBook = {
  /** It says that it is right, as far as it knows. */
  readonly synced: boolean;
  readonly version: string;
  /** The version at which the hash last held; up to there it must be right. */
  readonly provedVersion: string;
  readonly hash: number;
  /** Of the event that it is at, Unix ns, decimal. */
  readonly eventAtNs: string;
  readonly receivedAtNs: string;
  readonly bids: readonly JsonLevel[];
  readonly asks: readonly JsonLevel[];
};

/** What a client saw. */
export type SimClientCounts = {
  /** Failed checks by what found them. */
  readonly mismatchesBy: Readonly<Record<string, number>>;
  readonly mismatches: number;
  readonly resyncs: number;
  readonly resets: number;
  readonly reconnects: number;
  readonly resumes: number;
  readonly malformed: number;
  readonly framesApplied: number;
  readonly tradesMissed: number;
};

/** A view beside the whole book. */
export type SimView = { readonly depth: number; readonly rateMs: number };

const WHOLE: SimView = { depth: 0, rateMs: 0 };

/** How to make one. */
export type SimClientOptions = {
  readonly kind: ClientKind;
  readonly form: "binary" | "json";
  /** Of the whole books. */
  readonly policy: Policy;
  /** Followed of every instrument, too; undefined = nothing beside the whole books. */
  readonly view: SimView | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly faults: DownstreamFaults;
  readonly damage: Damage;
  readonly transport: MemoryTransport;
  /** Hears every text that arrives. */
  readonly witness: TextWitness;
};

/** A client of the simulation. */
export class SimClient {
  readonly kind: ClientKind;
  readonly form: "binary" | "json";
  readonly view: SimView | undefined;
  /** The real client. */
  readonly stream: StreamClient;
  /** Hears of every book of all levels and every change that reached a version, after it was applied. */
  onApplied: (instrument: string) => void = () => undefined;
  readonly #store: SlotStore;
  readonly #mismatches: Record<string, number> = {};
  readonly #damage: Damage;
  readonly #cancelCuts: () => void;
  #connection: MemoryConnection | undefined;

  constructor(options: SimClientOptions) {
    const { kind, form, policy, view, clock, random, faults, damage, transport, witness } = options;
    this.kind = kind;
    this.form = form;
    this.view = view;
    this.#damage = damage;
    const WebSocket = memoryWebSocket({
      transport,
      damage,
      witness,
      way: wayOf(kind, faults),
      made: (connection) => {
        this.#connection = connection;
      },
    });
    const after = (delayMs: number, call: () => void) => clock.setTimer(call, delayMs);
    const runtime = { WebSocket, now: clock.now, random, after };
    [this.stream, this.#store] = open({ form, isVerified: true, timing: TIMING, runtime });
    this.stream.on((event) => this.#hear(event));
    this.stream.subscribe({ channels: ["book"], instruments: ["*:*"], policy });
    if (view !== undefined) {
      this.stream.subscribe({ channels: ["book"], instruments: ["*:*"], ...view });
    }
    this.#cancelCuts = repeat({ clock, random, everyMs: kind === "resuming" ? faults.cutEveryMs : 0 }, () =>
      this.cut(random() >= faults.halfOpen),
    );
  }

  get counts(): SimClientCounts {
    const { resyncs, resets, reconnects, resumes, malformed, framesApplied, tradesMissed } = this.stream.counts;
    const mismatches = Object.values(this.#mismatches).reduce((sum, count) => sum + count, 0);
    return {
      mismatchesBy: { ...this.#mismatches },
      mismatches,
      resyncs,
      resets,
      reconnects,
      resumes,
      malformed,
      framesApplied,
      tradesMissed,
    };
  }

  /** The book of an instrument, or a view of it, `levels` a side; undefined while it has none. */
  book(instrument: string, levels?: number, view?: SimView): SimBook | undefined {
    const book = this.stream.peek(instrument, levels, view);
    if (book === undefined) {
      return undefined;
    }
    const { isSynced, version, provedVersion, hash, eventAtNs, receivedAtNs, bids, asks } = book;
    return { synced: isSynced, version, provedVersion, hash, eventAtNs, receivedAtNs, bids, asks };
  }

  /** The book itself, or a view of it, as the client keeps it; undefined while it has none. */
  slot(instrument: string, view: SimView = WHOLE): ViewSlot | undefined {
    const slot = this.#store.find(instrument) === undefined ? undefined : this.#store.view(instrument, view);
    return slot?.hasBook === true ? slot : undefined;
  }

  /** Cuts its connection, if there is one. @param isTold false: neither end hears of it */
  cut(isTold: boolean): void {
    if (this.#connection?.isOpen === true) {
      this.#damage.counts.cuts += 1;
      this.#damage.counts.halfOpen += isTold ? 0 : 1;
      this.#connection.cut(isTold);
    }
  }

  /** It is cut off no more. */
  endFaults(): void {
    this.#cancelCuts();
  }

  /** Closes for good. */
  stop(): void {
    this.#cancelCuts();
    this.stream.close();
  }

  #hear(event: ClientEvent): void {
    if (event.type === "resync") {
      this.#mismatches[event.reason] = (this.#mismatches[event.reason] ?? 0) + 1;
    } else if (event.type === "book" && event.depth === 0 && event.rateMs === 0) {
      this.onApplied(event.instrument);
    }
  }
}

/** As `connect` makes a client, with its books in reach. */
function open(settings: SocketBackendOptions): [StreamClient, SlotStore] {
  const made: SocketBackend[] = [];
  const stream = createClient((emit) => {
    const backend = new SocketBackend("ws://hub.memory/ws", settings, emit);
    made.push(backend);
    return backend;
  }, {});
  const [backend] = made;
  if (backend === undefined) {
    throw new Error("Cannot open a client: it made no backend, was none");
  }
  return [stream, backend.store];
}

function wayOf(kind: ClientKind, faults: DownstreamFaults): Way {
  const { delayMs, slowBytesPerMs, stall, stallMs } = faults;
  return kind === "slow"
    ? { delayMs, windowBytes: SLOW_WINDOW_BYTES, bytesPerMs: slowBytesPerMs, stall, stallMs }
    : { delayMs, windowBytes: WINDOW_BYTES, bytesPerMs: Number.POSITIVE_INFINITY, stall: 0, stallMs: 0 };
}
