/**
 * The requests of one connection and what their answers mean: which instruments and channels an acknowledgement or a
 * refusal is about, whether the exchange names them or only repeats a request id.
 * Bad case: an error that names nothing; it concerns every instrument of the connection that is not acknowledged yet.
 */
import type { Channel, ClientMessage, ControlEvent, Exchange } from "../exchanges/mod.ts";

/** What an acknowledgement or a refusal is about. */
export type Answered = { readonly natives: readonly string[]; readonly channels: readonly Channel[] };

const REQUESTS_KEPT_MAX = 4096;

/** The requests of one connection. */
export class Subscriptions {
  readonly #exchange: Exchange;
  readonly #requests = new Map<number, ClientMessage>();
  #lastRequestId = 0;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** Messages that subscribe instruments of one depth. */
  subscribe(natives: readonly string[], options: { channels: readonly Channel[]; depth: number }): ClientMessage[] {
    return this.#keep(this.#exchange.subscribe({ natives, ...options, nextRequestId: () => this.#nextRequestId() }));
  }

  /** Messages that unsubscribe; their answers need no attention. */
  unsubscribe(natives: readonly string[], options: { channels: readonly Channel[]; depth: number }): ClientMessage[] {
    return this.#exchange.unsubscribe({ natives, ...options, nextRequestId: () => this.#nextRequestId() });
  }

  /** Who is meant; empty when it answers a request that is not known or needs no attention. */
  answered(event: Extract<ControlEvent, { kind: "accepted" | "refused" }>): Answered {
    const request = event.requestId === undefined ? undefined : this.#requests.get(event.requestId);
    const natives = event.native === undefined ? (request?.natives ?? []) : [event.native];
    const channels = event.channel === undefined ? (request?.channels ?? []) : [event.channel];
    return { natives, channels };
  }

  /** The connection is gone: nothing will be answered any more. Ids go on, so that a late answer meets nobody. */
  forget(): void {
    this.#requests.clear();
  }

  #nextRequestId(): number {
    this.#lastRequestId += 1;
    return this.#lastRequestId;
  }

  #keep(messages: ClientMessage[]): ClientMessage[] {
    for (const message of messages) {
      this.#requests.set(message.requestId, message);
    }
    for (const id of this.#requests.keys()) {
      if (this.#requests.size <= REQUESTS_KEPT_MAX) {
        break;
      }
      this.#requests.delete(id);
    }
    return messages;
  }
}
