/**
 * Sockets and requests as a worker has them, and how they die with it. A socket may be sloppy: what its library still held
 * when the connection ended, or when it was dropped, is delivered afterwards. That is what a collector must guard against.
 * Bad case: a worker that died; nothing of it may be called any more, and the exchange hears its sockets close.
 */
import type { InMemoryEmulator } from "../../src/emulator/mod.ts";
import type { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import type { Fetch } from "../../src/feed/rest.ts";
import type { FeedSocket, SocketFactory } from "../../src/feed/socket.ts";

/** What lives and dies with a worker. */
export class Life {
  isAlive = true;
  /** Requests under way, and the start of the worker: while there are some, promises must settle between two steps. */
  requests = 0;
  readonly #sockets = new Set<{ readonly drop: () => void }>();

  /** A task that does nothing after death. */
  guard(task: () => void): () => void {
    return () => {
      if (this.isAlive) {
        task();
      }
    };
  }

  /** A socket that the system closes when the worker is gone. */
  own(socket: { readonly drop: () => void }): void {
    this.#sockets.add(socket);
  }

  /** Nothing is called any more. */
  end(): void {
    this.isAlive = false;
    this.requests = 0;
    for (const socket of this.#sockets) {
      socket.drop();
    }
    this.#sockets.clear();
  }
}

/** What a worker's network is made of. */
export type NetworkOptions = {
  readonly emulator: InMemoryEmulator;
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly onOpened: () => void;
  /** A text was sent. */
  readonly onSent: (text: string) => void;
  readonly onFrame: (bytes: Buffer) => void;
  readonly onRequest: (url: string) => void;
};

const SLOPPY_SHARE = 0.5;
const HELD_MS_MAX = 2500;

/** The sockets of a worker. */
export function socketsOf(life: Life, options: NetworkOptions): SocketFactory {
  return (url, handlers, limits): FeedSocket => {
    const { emulator, clock, random, onOpened, onSent, onFrame } = options;
    const heldMs = random() < SLOPPY_SHARE ? Math.ceil(random() * HELD_MS_MAX) : 0;
    const deliver = (task: () => void): void => {
      if (heldMs === 0) {
        life.guard(task)();
      } else {
        clock.setTimer(life.guard(task), heldMs);
      }
    };
    const socket = emulator.openSocket(
      url,
      {
        opened: () =>
          deliver(() => {
            onOpened();
            handlers.opened();
          }),
        frame: (bytes, isBinary) =>
          deliver(() => {
            onFrame(bytes);
            handlers.frame(bytes, isBinary);
          }),
        alive: () => deliver(handlers.alive),
        // At once: whatever is still held comes after the end.
        closed: (reason, refusal) => life.guard(() => handlers.closed(reason, refusal))(),
      },
      limits,
    );
    life.own(socket);
    return {
      send: (text) => {
        onSent(text);
        socket.send(text);
      },
      ping: () => socket.ping(),
      drop: () => socket.drop(),
    };
  };
}

/** The requests of a worker. */
export function fetchOf(life: Life, { emulator, onRequest }: NetworkOptions): Fetch {
  return (url, { signal }) => {
    onRequest(url);
    life.requests += 1;
    const settled = (): void => {
      life.requests -= life.isAlive ? 1 : 0;
    };
    return new Promise((resolve, reject) => {
      emulator.fetch(url, { signal }).then(
        (response) => {
          settled();
          life.guard(() => resolve(response))();
        },
        (error: unknown) => {
          settled();
          life.guard(() => reject(error as Error))();
        },
      );
    });
  };
}
