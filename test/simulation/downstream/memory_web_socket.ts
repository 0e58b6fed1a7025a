/**
 * The WebSocket class that a client is given: the browser's interface over a connection in memory. Binary messages pass
 * through the damage on their way in; texts do not, for a text that is not JSON shows by itself.
 * Bad case: a socket that its owner drops while it opens; its handlers are gone and nothing is called.
 */
import type { WebSocketClass } from "../../../src/client/mod.ts";
import type { Damage } from "./faults.ts";
import type { MemoryConnection, Message, Way } from "./memory_connection.ts";
import type { MemoryTransport } from "./memory_transport.ts";
import type { TextWitness } from "./text_witness.ts";

type Listener = ((event: object) => void) | null;

/** What sockets of one client share. */
export type SocketScene = {
  readonly transport: MemoryTransport;
  readonly way: Way;
  readonly damage: Damage;
  readonly witness: TextWitness;
  /** A socket was made. */
  readonly made: (connection: MemoryConnection) => void;
};

/** The class for one client. */
export function memoryWebSocket(scene: SocketScene): WebSocketClass {
  return class {
    binaryType = "blob";
    onopen: Listener = null;
    onmessage: Listener = null;
    onclose: Listener = null;
    onerror: Listener = null;
    readonly #connection: MemoryConnection;

    constructor(url: string, protocols: string[]) {
      const { transport, way, made } = scene;
      const end = {
        opened: () => this.onopen?.({}),
        received: (message: Message) => this.#received(message),
        closed: (code: number, reason: string) => this.onclose?.({ code, reason }),
      };
      this.#connection = transport.connect(url, { protocols, way, end });
      made(this.#connection);
    }

    send(text: string): void {
      this.#connection.send(text);
    }

    close(): void {
      this.#connection.close();
    }

    #received(message: Message): void {
      if (typeof message === "string") {
        scene.witness.hear(message);
        this.onmessage?.({ data: message });
        return;
      }
      for (const frame of scene.damage.arriving(message)) {
        this.onmessage?.({ data: frame.buffer });
      }
    }
  };
}
