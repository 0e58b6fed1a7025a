/**
 * The list of instruments that an exchange offers: fetched when the collector starts, and again when somebody asks for an
 * instrument that it does not hold. A request that REST does not take in time, because its breaker is open, is given up.
 * Bad case: a list that cannot be fetched; the collector starts without it, but nothing is added at run time that nobody
 * could check.
 */
import { nearestNames } from "../config/mod.ts";
import { ConnectionError, DecodeError } from "../errors.ts";
import type { Exchange, InstrumentMetadata } from "../exchanges/mod.ts";
import type { Report } from "./collector_settings.ts";
import type { RestClient } from "./rest.ts";
import type { Sleeper } from "./sleeper.ts";

/** What a list is fetched with. */
export type ListOptions = {
  readonly exchange: Exchange;
  readonly rest: Pick<RestClient, "get">;
  readonly sleeper: Sleeper;
  /** Monotonic ms. */
  readonly now: () => number;
  /** So long a request waits until it may be sent, ms. */
  readonly patienceMs: number;
  readonly attemptsMax: number;
  /** Between two attempts, times the number of those before. */
  readonly pauseMs: number;
  readonly hasStopped: () => boolean;
  readonly report: (report: Report) => void;
};

/** The instruments of one exchange by canonical name. */
export type Listed = ReadonlyMap<string, InstrumentMetadata>;

/** Why there is no list. */
type Failure = {
  readonly reason: string;
  /** Nothing was asked: another attempt would wait as long. */
  readonly isUnsent: boolean;
};

/** Fetches and keeps the list. */
export class InstrumentList {
  readonly #options: ListOptions;
  #listed: Listed | undefined;

  constructor(options: ListOptions) {
    this.#options = options;
  }

  /** Fetches the list, several times if need be. @returns undefined when it is not to be had */
  async fetch(): Promise<Listed | undefined> {
    const { attemptsMax, pauseMs, hasStopped, report, sleeper } = this.#options;
    for (let attempt = 1; attempt <= attemptsMax && !hasStopped(); attempt++) {
      const outcome = await this.#attempt();
      if (!("reason" in outcome)) {
        this.#listed = outcome;
        return outcome;
      }
      const { reason, isUnsent } = outcome;
      report({ level: "warn", text: `The instrument list is not there (attempt ${attempt}): ${reason}` });
      if (isUnsent) {
        return undefined;
      }
      await sleeper.pause(pauseMs * attempt);
    }
    return undefined;
  }

  /**
   * One instrument, looked up in the list that is held and then in a fresh one.
   * @returns undefined when the exchange lists no such instrument
   * @throws ConnectionError when the list is not to be had
   */
  async find(canonical: string): Promise<InstrumentMetadata | undefined> {
    const held = this.#listed?.get(canonical);
    if (held !== undefined) {
      return held;
    }
    const outcome = await this.#attempt();
    if ("reason" in outcome) {
      throw new ConnectionError(`Cannot look the instrument up: ${outcome.reason}, was ${canonical}`);
    }
    this.#listed = outcome;
    return outcome.get(canonical);
  }

  /** The listed names that are spelt most like one, nearest first. */
  nearest(canonical: string): string[] {
    return nearestNames(canonical, this.#listed?.keys() ?? []);
  }

  async #attempt(): Promise<Listed | Failure> {
    const { exchange, rest, now, patienceMs } = this.#options;
    const until = now() + patienceMs;
    let isUnsent = false;
    const isWanted = () => {
      isUnsent = now() >= until;
      return !isUnsent;
    };
    try {
      const body = await rest.get(exchange.metadataRequest(), { isWanted });
      const { instruments } = exchange.readMetadata(Buffer.from(body).toString("utf8"));
      return new Map(instruments.map((instrument) => [instrument.canonical, instrument]));
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof DecodeError)) {
        throw error;
      }
      const reason = isUnsent ? `REST may not be asked, and was waited for ${patienceMs} ms` : error.message;
      return { reason, isUnsent };
    }
  }
}
