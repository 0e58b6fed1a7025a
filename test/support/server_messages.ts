/**
 * Judges every text that a server sends in a test by the schemas of src/wire: sockets that witness what they receive, and
 * the list of what was wrong, for the test's end.
 * Bad case: a proxy that damages texts on purpose; a test that has one gives its clients a plain socket.
 */
import { WebSocket } from "ws";
import { faultOf } from "../../src/wire/server_schemas.ts";

const faults: string[] = [];
let judged = 0;

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

/** A WebSocket that judges every text that it receives. */
export class WitnessSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    this.on("message", (content: Buffer, isBinary: boolean) => {
      if (!isBinary) {
        witnessServerText(content.toString());
      }
    });
  }
}
