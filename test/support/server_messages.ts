/**
 * Judges every text that a server sends in a test by the schemas of src/wire: sockets that witness what they receive, and
 * the list of what was wrong, for the test's end.
 * Bad case: a proxy that damages texts on purpose; a test that has one gives its clients a plain socket.
 */
import type { Page } from "playwright-core";
import { type ClientOptions, WebSocket } from "ws";
import { faultOf } from "../../src/wire/server_schemas.ts";

const faults: string[] = [];
let judged = 0;
let received = 0;
/** Frames; a page that is closed early has seen a few binary ones and no text yet. */
const PLENTY = 50;

/** Judges one text and keeps what is wrong with it. */
export function witnessServerText(text: string): void {
  judged += 1;
  const fault = faultOf(text);
  if (fault !== undefined) {
    faults.push(`${fault}\nin ${text.slice(0, 400)}`);
  }
}

/**
 * Ends a test: nothing that a server sent was against the schemas.
 * @returns how many texts were judged since the last call
 * @throws Error naming the first faults
 */
export function checkServerTexts(): number {
  const [count, found] = [judged, faults.splice(0)];
  judged = 0;
  if (found.length > 0) {
    throw new Error(`Cannot accept ${found.length} of ${count} server messages: ${found.slice(0, 3).join("\n\n")}`);
  }
  return count;
}

/** Judges every text that the sockets of a page receive; those of its workers are out of sight. */
export function witnessPage(page: Page): void {
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      received += 1;
      if (typeof payload === "string") {
        witnessServerText(payload);
      }
    });
  });
}

/**
 * Ends a file of tests whose pages were witnessed.
 * @throws Error as checkServerTexts does, or when they received plenty and not one text was seen
 */
export function checkPages(): void {
  if (checkServerTexts() === 0 && received >= PLENTY) {
    throw new Error(`Cannot judge what pages receive: no text was seen, was ${received} frames`);
  }
}

/** A WebSocket that judges every text that it receives. */
export class WitnessSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[], options?: ClientOptions) {
    super(url, protocols, options);
    this.on("message", (content: Buffer, isBinary: boolean) => {
      if (!isBinary) {
        witnessServerText(content.toString());
      }
    });
  }
}
