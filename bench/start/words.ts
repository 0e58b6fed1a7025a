/**
 * What the program of the cold start is told, and what it answers.
 * Bad case: a program of another build; the word tells it from everything else.
 */

/** First word of its command line; the kernel and the Unix ms of its start follow. */
export const START_WORD = "start";

/** One cold start. */
export type StartAnswer = {
  /** From the start of the process until our first line runs, until there is a kernel, until there is a book. */
  nodeMs: number;
  kernelMs: number;
  bookMs: number;
  /** The first frame, one of the next hundred, and one when V8 has tiered up. */
  firstNs: number;
  earlyNs: number;
  tieredNs: number;
};
