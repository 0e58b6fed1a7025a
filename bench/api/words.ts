/** What the processes of the API benchmark say to each other. Bad case: none, these are types. */

/** The word by which the bench program becomes the load of the API. */
export const API_WORD = "api-load";

/** Beside it: the bare server. */
export const BARE_WORD = "bare";

/** From the bare server. */
export type BareAnswer = { answer: "listening"; port: number } | { answer: "failed"; reason: string };

/** To the load: so many requests per second for so long, after a warm-up that is not counted. */
export type LoadOrder = {
  order: "load";
  port: number;
  path: string;
  perSecond: number;
  seconds: number;
  warmSeconds: number;
};

/** From the load: microseconds from the intended sending to the last byte of the answer. */
export type LoadAnswer =
  | {
      answer: "loaded";
      count: number;
      p50: number;
      p99: number;
      p999: number;
      max: number;
      bytes: number;
      other: number;
    }
  | { answer: "failed"; reason: string };
