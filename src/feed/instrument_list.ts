/**
 * The list of instruments that an exchange offers: fetched when the collector starts, and again when somebody asks for an
 * instrument that it does not hold. Bad case: a list that cannot be fetched; the collector starts without it, but nothing
 * is added at run time that nobody could check.
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
  readonly attemptsMax: number;
  /** Between two attempts, times the number of those before. */
  readonly pauseMs: number;
  readonly hasStopped: () => boolean;
  readonly report: (report: Report) => void;
};

/** The instruments of one exchange by canonical name. */
export type Listed = ReadonlyMap<string, InstrumentMetadata>;

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
      const listed = await this.#attempt((reason) =>
        report({ level: "warn", text: `The instrument list is not there (attempt ${attempt}): ${reason}` }),
      );
      if (listed !== undefined) {
        this.#listed = listed;
        return listed;
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
    const listed = await this.#attempt((reason) => {
      throw new ConnectionError(`Cannot look the instrument up: ${reason}, was ${canonical}`);
    });
    this.#listed = listed ?? this.#listed;
    return this.#listed?.get(canonical);
  }

  /** The listed names that are spelt most like one, nearest first. */
  nearest(canonical: string): string[] {
    return nearestNames(canonical, this.#listed?.keys() ?? []);
  }

  async #attempt(failed: (reason: string) => void): Promise<Listed | undefined> {
    const { exchange, rest } = this.#options;
    try {
      const body = await rest.get(exchange.metadataRequest());
      const { instruments } = exchange.readMetadata(Buffer.from(body).toString("utf8"));
      return new Map(instruments.map((instrument) => [instrument.canonical, instrument]));
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof DecodeError)) {
        throw error;
      }
      failed(error.message);
      return undefined;
    }
  }
}
