/**
 * Collects the body of a request up to a limit. What is longer is read and dropped for a while, so that the client is
 * still listening when its answer comes, and then the connection is cut.
 * Bad case: a client that sends for ever; it is cut after sixteen times the limit.
 */
const DROPPED_FACTOR = 16;

/** What became of a body. */
export type CollectedBody = { readonly body: Uint8Array; readonly isTooLong: boolean };

/** A body of no bytes. */
export const NO_BODY: CollectedBody = { body: new Uint8Array(0), isTooLong: false };

/** The body of one request. */
export class RequestBody {
  readonly #bytesMax: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes some bytes; they are copied. @returns false when the connection should be cut */
  add(chunk: Uint8Array): boolean {
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= this.#bytesMax) {
      this.#chunks.push(chunk.slice());
    }
    return this.#bytes <= this.#bytesMax * DROPPED_FACTOR;
  }

  /** The whole of it. */
  take(): CollectedBody {
    if (this.#bytes > this.#bytesMax) {
      return { body: NO_BODY.body, isTooLong: true };
    }
    const body = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      body.set(chunk, at);
      at += chunk.byteLength;
    }
    return { body, isTooLong: false };
  }
}

/** Methods whose requests carry nothing that is looked at. */
export function isBodyless(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** What is said when an answer could not be made. */
export const FAILED_ANSWER = {
  status: 500,
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  body: "Cannot answer: an error of the server\n",
} as const;
