/**
 * The addresses of an exchange in its segment's header, and how their circuit breakers stand: written by the collector, read
 * by whoever shows health. A segment of an earlier build has none.
 * Bad case: bytes of a foreign file; what is read is bounded by the table, and a kind that is unknown is left out.
 */
import {
  ENDPOINT_ADDRESS,
  ENDPOINT_ADDRESS_BYTES_MAX,
  ENDPOINT_ATTEMPTS,
  ENDPOINT_BYTES,
  ENDPOINT_FAILURES,
  ENDPOINT_KIND,
  ENDPOINT_LAST_FAILURE,
  ENDPOINT_LAST_STATUS,
  ENDPOINT_OPEN_UNTIL,
  ENDPOINT_OPENINGS,
  ENDPOINT_REST,
  ENDPOINT_SINCE,
  ENDPOINT_STATE,
  ENDPOINT_WEBSOCKET,
  ENDPOINTS_MAX,
  HEADER_ENDPOINT_COUNT,
  HEADER_ENDPOINTS,
} from "../../assembly/layout.ts";

/** How an endpoint stands. Codes are those of the layout. */
export type EndpointFigures = {
  /** BREAKER_* */
  readonly state: number;
  /** Unix ns of the last change. */
  readonly sinceNs: bigint;
  /** Unix ns until which nobody may try; 0n = it is not open. */
  readonly openUntilNs: bigint;
  readonly attempts: number;
  readonly failures: number;
  readonly openings: number;
  /** FAILURE_* */
  readonly lastFailure: number;
  /** HTTP status of the last failure; 0 = none. */
  readonly lastStatus: number;
};

/** An endpoint by name. */
export type EndpointName = {
  /** ENDPOINT_* */
  readonly kind: number;
  /** Without anything secret. */
  readonly address: string;
};

/** An endpoint as it was read. */
export type EndpointEntry = EndpointName & EndpointFigures;

/** Writes the endpoints of one segment. Thread: the producer's. */
export class EndpointTable {
  readonly #words: Uint32Array;
  readonly #counts: BigUint64Array;
  readonly #address: number;

  /**
   * @param address of the segment
   * @param names those beyond ENDPOINTS_MAX are not shown, and addresses are cut at their largest length
   */
  constructor(buffer: ArrayBufferLike, { address, names }: { address: number; names: readonly EndpointName[] }) {
    this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#counts = new BigUint64Array(buffer, 0, buffer.byteLength >>> 3);
    this.#address = address;
    const shown = names.slice(0, ENDPOINTS_MAX);
    shown.forEach(({ kind, address: text }, index) => {
      const entry = entryAt(address, index);
      const bytes = new TextEncoder().encode(text).subarray(0, ENDPOINT_ADDRESS_BYTES_MAX);
      new Uint8Array(buffer).set([bytes.length, ...bytes], entry + ENDPOINT_ADDRESS);
      this.#setWord(entry + ENDPOINT_KIND, kind);
    });
    this.#setWord(address + HEADER_ENDPOINT_COUNT, shown.length);
  }

  /** Shows how an endpoint stands. @param index by the order of the names; one that is not shown is left out */
  set(index: number, figures: EndpointFigures): void {
    if (index >= ENDPOINTS_MAX) {
      return;
    }
    const entry = entryAt(this.#address, index);
    this.#setCount(entry + ENDPOINT_SINCE, figures.sinceNs);
    this.#setCount(entry + ENDPOINT_OPEN_UNTIL, figures.openUntilNs);
    this.#setCount(entry + ENDPOINT_ATTEMPTS, BigInt(figures.attempts));
    this.#setCount(entry + ENDPOINT_FAILURES, BigInt(figures.failures));
    this.#setCount(entry + ENDPOINT_OPENINGS, BigInt(figures.openings));
    this.#setWord(entry + ENDPOINT_LAST_FAILURE, figures.lastFailure);
    this.#setWord(entry + ENDPOINT_LAST_STATUS, figures.lastStatus);
    this.#setWord(entry + ENDPOINT_STATE, figures.state);
  }

  #setWord(address: number, value: number): void {
    Atomics.store(this.#words, address >>> 2, value);
  }

  #setCount(address: number, value: bigint): void {
    Atomics.store(this.#counts, address >>> 3, value);
  }
}

/** The endpoints of a segment that was validated. @param address of the segment */
export function readEndpoints(buffer: ArrayBufferLike, address: number): EndpointEntry[] {
  const memory = new DataView(buffer);
  const count = Math.min(memory.getUint32(address + HEADER_ENDPOINT_COUNT, true), ENDPOINTS_MAX);
  const entries = Array.from({ length: count }, (_, index) => readEntry(memory, entryAt(address, index)));
  return entries.filter(({ kind }) => kind === ENDPOINT_WEBSOCKET || kind === ENDPOINT_REST);
}

function readEntry(memory: DataView, entry: number): EndpointEntry {
  const word = (field: number) => memory.getUint32(entry + field, true);
  const count = (field: number) => memory.getBigUint64(entry + field, true);
  const length = Math.min(memory.getUint8(entry + ENDPOINT_ADDRESS), ENDPOINT_ADDRESS_BYTES_MAX);
  // A copy: a decoder refuses shared memory.
  const bytes = Uint8Array.from({ length }, (_, index) => memory.getUint8(entry + ENDPOINT_ADDRESS + 1 + index));
  return {
    kind: word(ENDPOINT_KIND),
    address: new TextDecoder().decode(bytes),
    state: word(ENDPOINT_STATE),
    sinceNs: count(ENDPOINT_SINCE),
    openUntilNs: count(ENDPOINT_OPEN_UNTIL),
    attempts: Number(count(ENDPOINT_ATTEMPTS)),
    failures: Number(count(ENDPOINT_FAILURES)),
    openings: Number(count(ENDPOINT_OPENINGS)),
    lastFailure: word(ENDPOINT_LAST_FAILURE),
    lastStatus: word(ENDPOINT_LAST_STATUS),
  };
}

function entryAt(address: number, index: number): number {
  return address + HEADER_ENDPOINTS + index * ENDPOINT_BYTES;
}
