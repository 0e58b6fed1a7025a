/**
 * What leaves one view of a book, whatever makes the view: frames of its events, snapshots, updates for those who missed
 * some, the hash of a quiet book; each encoded once and published from the kernel's memory. Knows what version everybody
 * on a topic was given last, so that whoever leaves the topic can go on from there.
 * Bad case: an event that is half applied; nothing is told that is not a whole event, and nobody begins meanwhile.
 */
import { orderBookDeltaMessage, type ViewLabel } from "../wire/json_form.ts";
import type { JsonChange } from "../wire/protocol.ts";
import { BookFrames } from "./book_frames.ts";
import { BookSnapshots, type Snapshot } from "./book_snapshots.ts";
import { CatchUp } from "./catch_up.ts";
import { mixEpoch } from "./epochs.ts";
import type { HopMeter } from "./hop_meter.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import { ReplicaBook } from "./replica_book.ts";
import { marketTopic } from "./topics.ts";
import type { Payload } from "./transport.ts";
import { framedBytes } from "./websocket_bytes.ts";
import type { Workspace } from "./workspace.ts";

/** Units of event times that the stream knows, ns, coarsest first. */
const TIME_UNITS = [1_000_000, 1000, 1] as const;

/** What an output is made from. */
export type OutputOptions = {
  readonly label: ViewLabel;
  readonly alias: number;
  readonly outlet: Outlet;
  readonly limits: GatewayLimits;
  /** Bytes of the encode buffer at first. */
  readonly encodeBytes: number;
  readonly now: () => number;
  /** Measures how long events wait here; absent for views that wait for their rate. */
  readonly meter?: HopMeter | undefined;
};

/** Everything that clients get of one view. */
export class ViewOutput {
  readonly label: ViewLabel;
  readonly alias: number;
  readonly replica: ReplicaBook;
  readonly frames: BookFrames;
  readonly snapshots: BookSnapshots;
  readonly topics: Readonly<Record<Form, string>>;
  /** Encoded bytes since start, each frame counted once. */
  wireBytes = 0;
  /** The same whether anybody listened or not, with WebSocket headers: what the view costs a client. */
  encodedBytes = 0;
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  readonly #catchUp: CatchUp;
  readonly #now: () => number;
  readonly #meter: HopMeter | undefined;
  readonly #followers: Record<Form, number> = { binary: 0, json: 0 };
  /** The coarsest unit that every event time seen so far divides by: an exchange with milliseconds costs fewer bytes. */
  #timeUnit: number = TIME_UNITS[0];
  #origin = 0;
  /** Version that the last frame which was taken led to. */
  #framedVersion = 0;

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: Workspace, options: OutputOptions) {
    const { label, alias, limits } = options;
    this.label = label;
    this.alias = alias;
    this.#workspace = workspace;
    this.#outlet = options.outlet;
    this.#now = options.now;
    this.#meter = options.meter;
    this.replica = new ReplicaBook(workspace, alias);
    try {
      this.frames = new BookFrames(workspace, {
        book: this.replica,
        bytes: options.encodeBytes,
        bytesMax: limits.encodeBytesMax,
      });
      this.replica.remember(limits.historyEntries);
    } catch (error) {
      this.replica.release();
      throw error;
    }
    this.snapshots = new BookSnapshots(workspace, this.replica, label);
    this.#catchUp = new CatchUp(workspace, this.replica, label);
    this.topics = { binary: marketTopic(alias, "book", "binary"), json: marketTopic(alias, "book", "json") };
  }

  /** Subscriptions of this view, whether they have begun or not. */
  get followers(): number {
    return this.#followers.binary + this.#followers.json;
  }

  /** One more subscription. The unit of times is settled with the first one: it belongs to what clients hold. */
  attach(form: Form): void {
    if (this.#followers.binary === 0 && this.replica.timeUnit !== this.#timeUnit) {
      this.#settle();
    }
    this.#followers[form] += 1;
  }

  /** One subscription less. */
  detach(form: Form): void {
    this.#followers[form] -= 1;
  }

  /** Somebody gets this view at present. */
  hasListeners(form: Form): boolean {
    return this.#outlet.listeners(this.topics[form]) > 0;
  }

  /**
   * The book was loaded anew or emptied: what was encoded leads nowhere.
   * @param origin a number that is the same as before only when the versions go on
   */
  restart(origin: number): void {
    this.#origin = origin;
    this.frames.discard();
    this.frames.restart();
    this.#framedVersion = 0;
    this.noteEvent();
    this.#settle();
  }

  /** A whole event was applied. */
  noteEvent(): void {
    if (this.#timeUnit > 1 && !this.replica.isTimeWhole(this.#timeUnit)) {
      this.#timeUnit = TIME_UNITS.find((unit) => this.replica.isTimeWhole(unit)) ?? 1;
    }
  }

  /** Sends the events that wait in the buffer, or throws them away when nobody listens. */
  flush(): void {
    if (!this.frames.hasEvents) {
      return;
    }
    if (this.hasListeners("binary")) {
      this.#publishFrame();
    } else {
      this.encodedBytes += framedBytes(this.frames.discard());
      this.#framedVersion = this.replica.eventVersion;
    }
  }

  /** Sends what an event changed to those who want JSON. @param previousVersion before the event */
  publishChanges(previousVersion: number, changes: readonly JsonChange[]): void {
    const message = orderBookDeltaMessage(this.#workspace.memory, this.replica.address, {
      ...this.label,
      previousVersion: String(previousVersion),
      changes,
    });
    this.#outlet.publish(this.topics.json, JSON.stringify(message));
  }

  /** Sends the hash alone when nothing else carried it for a while. The view is whole. */
  proveQuiet(): void {
    if (this.hasListeners("binary") && this.frames.isCheckDue(this.#now())) {
      this.#publishFrame();
    }
  }

  /** The version that everybody on the topic was given last. */
  heldBy(form: Form): number {
    return form === "binary" && this.frames.hasEvents ? this.#framedVersion : this.replica.eventVersion;
  }

  /** A client that holds a version of an epoch can go on from there. */
  resumes({ epoch, version }: { epoch: number; version: number }): boolean {
    return epoch === this.replica.epoch && this.replica.isFollowing && this.replica.reaches(version);
  }

  /** Messages that give a client the view, as it is or as it was a moment ago; only when ready and flushed. */
  snapshot(form: Form, after: number | undefined): Snapshot {
    return this.snapshots.take(form, { nowMs: this.#now(), after });
  }

  /** One update from a version to the present one; undefined when a snapshot is better. Only when ready and flushed. */
  update(form: Form, from: number): Payload | undefined {
    return this.#catchUp.update(form, { from, bytesMax: this.snapshots.typicalBytes() });
  }

  /** What changed since a version; undefined when too much did. */
  changesSince(version: number): readonly JsonChange[] | undefined {
    return this.#catchUp.changes(version);
  }

  /** The epoch and the unit of times from here on; what was made with others is thrown away. */
  #settle(): void {
    this.replica.timeUnit = this.#timeUnit;
    this.replica.epoch = mixEpoch([this.#origin, this.#timeUnit]);
    this.snapshots.forget();
    this.#catchUp.forget();
  }

  #publishFrame(): void {
    const { events } = this.frames;
    const frame = this.frames.take(this.#now());
    if (frame !== undefined) {
      this.#framedVersion = this.replica.eventVersion;
      this.wireBytes += frame.byteLength;
      this.encodedBytes += framedBytes(frame.byteLength);
      this.#outlet.publish(this.topics.binary, frame);
      this.#meter?.noteSent(events);
    }
  }
}
