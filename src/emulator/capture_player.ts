/**
 * Plays a capture to every client that subscribes: frames byte-exact, in recorded order, with their own timing, faster,
 * or as fast as the socket takes them. Each client gets the whole capture from its beginning; REST depth bodies are
 * held back until that client's stream has reached the place where they were recorded.
 * Bad case: a client resubscribes in mid-capture; it gets the frames that follow, because nobody recorded a second
 * snapshot. Cutting the connection and opening another starts afresh.
 */
import type { Audience, RecordedFrame, Topic } from "./audience.ts";
import { type Capture, isFrame } from "./capture_source.ts";
import type { Clock } from "./clock.ts";
import type { RestAnswer } from "./protocol.ts";

/** A client that did not subscribe to everything within this time gets what it subscribed to. */
const START_WITHIN_MS = 2_000;
/** A depth request while nobody plays its symbol is answered after this time. */
const HOLD_MAX_MS = 10_000;
/** At most so many bytes are handed to a socket before it must have taken them. */
const CHUNK_BYTES = 256 * 1024;
/** At most so many records are looked at in one turn of the event loop. */
const CHUNK_RECORDS = 2_000;
const SLEEP_MAX_MS = 1_000;
/** How a snapshot of a book begins: Coinbase, Kraken v2 and v1. */
const SNAPSHOT = /^(?:\{"type":"snapshot"|\{"channel":"book","type":"snapshot"|\[\d+,\{"as":)/;

type PlayerOptions = {
  /** 1 own timing, n times faster, 0 as fast as the socket takes it. */
  speed: number;
  clock: Clock;
};

type HeldRequest = { symbol: string; sinceMs: number; resolve: (answer: RestAnswer) => void };

/** Plays one capture to any number of clients. */
export class CapturePlayer {
  readonly capture: Capture;
  /** Resolves when the last recorded frame has been sent to every client that is subscribed. */
  readonly finished: Promise<void>;
  readonly #options: PlayerOptions;
  readonly #needs: readonly Topic[];
  readonly #firstBodies: ReadonlyMap<string, string>;
  readonly #waiting = new Set<Audience>();
  /** In order of their start. */
  readonly #playbacks: Playback[] = [];
  #held: HeldRequest[] = [];
  #finish: () => void = () => undefined;

  constructor(capture: Capture, options: PlayerOptions) {
    this.capture = capture;
    this.#options = options;
    this.#needs = needsOf(capture);
    const bodies = capture.records.flatMap((record) => (isFrame(record) ? [] : [record]));
    this.#firstBodies = new Map(bodies.reverse().map(({ symbol, body }) => [symbol, body]));
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** A client connected. */
  join(audience: Audience): void {
    this.#waiting.add(audience);
  }

  /** A client is gone. */
  leave(audience: Audience): void {
    this.#waiting.delete(audience);
    const index = this.#playbacks.findIndex((playback) => playback.audience === audience);
    if (index >= 0) {
      this.#playbacks[index]?.stop();
      this.#playbacks.splice(index, 1);
    }
    this.#review();
  }

  /** Starts playbacks that are due and answers requests that may be. Called about every 50 ms. */
  tick(atMs: number): void {
    for (const audience of this.#waiting) {
      const sinceMs = audience.subscribedAtMs;
      if (sinceMs !== undefined) {
        const isComplete = this.#needs.every((topic) => audience.wants(topic));
        if (isComplete || atMs - sinceMs >= START_WITHIN_MS) {
          this.#start(audience);
        }
      }
    }
    this.#review();
  }

  /** The recorded depth body of a symbol, once it may be given. */
  depthAnswer(symbol: string): Promise<RestAnswer> {
    return new Promise((resolve) => {
      this.#held.push({ symbol, sinceMs: this.#options.clock.now(), resolve });
      this.#review();
    });
  }

  /** Stops everything and answers what is held. */
  close(): void {
    for (const playback of this.#playbacks) {
      playback.stop();
    }
    for (const request of this.#held.splice(0)) {
      request.resolve(unavailable());
    }
  }

  #start(audience: Audience): void {
    this.#waiting.delete(audience);
    const onMoved = (): void => this.#review();
    const playback = new Playback(this.capture, { ...this.#options, audience, onMoved });
    this.#playbacks.push(playback);
    playback.start();
  }

  #review(): void {
    this.#held = this.#held.filter((request) => {
      const answer = this.#answerNow(request);
      if (answer !== undefined) {
        request.resolve(answer);
      }
      return answer === undefined;
    });
    if (this.#playbacks.length > 0 && this.#playbacks.every((playback) => playback.isEnded)) {
      this.#finish();
    }
  }

  // The youngest stream counts: after a reconnect the older one is gone or about to go.
  #answerNow({ symbol, sinceMs }: HeldRequest): RestAnswer | undefined {
    const first = this.#firstBodies.get(symbol);
    if (first === undefined) {
      return unavailable();
    }
    const topic: Topic = { kind: "book", symbol, channel: "" };
    const playback = this.#playbacks.findLast(({ audience }) => audience.wants(topic));
    if (playback !== undefined) {
      const body = playback.bodies.get(symbol);
      return body === undefined ? undefined : { status: 200, body };
    }
    const isPromised = [...this.#waiting].some((audience) => audience.wants(topic));
    return isPromised || this.#options.clock.now() - sinceMs < HOLD_MAX_MS ? undefined : { status: 200, body: first };
  }
}

type PlaybackOptions = PlayerOptions & { audience: Audience; onMoved: () => void };

/** One client's way through the capture. */
class Playback {
  readonly audience: Audience;
  /** Depth bodies that the stream has passed, by symbol. */
  readonly bodies = new Map<string, string>();
  readonly #records: Capture["records"];
  readonly #options: PlaybackOptions;
  #index = 0;
  #startedAtMs = 0;
  #cancel: () => void = () => undefined;
  #isStopped = false;
  #isEnded = false;
  /** Frames handed to the socket that it has not taken yet. */
  #unwritten = 0;
  #whenDrained: (() => void) | undefined;

  constructor(capture: Capture, options: PlaybackOptions) {
    this.#records = capture.records;
    this.audience = options.audience;
    this.#options = options;
  }

  /** Whether the last frame has been handed to the socket and taken by it. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  start(): void {
    this.#startedAtMs = this.#options.clock.now();
    this.#play();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  // Sends what is due, at most a chunk; then waits for the socket, or for the next record's time.
  #play(): void {
    if (this.#isStopped) {
      return;
    }
    const dueUs = this.#dueUs();
    const limit = this.#index + CHUNK_RECORDS;
    let bytes = 0;
    let record = this.#records[this.#index];
    while (record !== undefined && record.atUs <= dueUs && this.#index < limit && bytes < CHUNK_BYTES) {
      this.#index += 1;
      if (isFrame(record)) {
        bytes += this.#send(record);
      } else {
        this.bodies.set(record.symbol, record.body);
        this.#options.onMoved();
      }
      record = this.#records[this.#index];
    }
    if (record === undefined) {
      this.#drain(() => this.#end());
    } else if (record.atUs <= dueUs) {
      this.#drain(() => this.#play());
    } else {
      const waitMs = (record.atUs - dueUs) / 1000 / this.#options.speed;
      this.#cancel = this.#options.clock.setTimer(() => this.#play(), Math.min(SLEEP_MAX_MS, Math.max(1, waitMs)));
    }
  }

  #dueUs(): number {
    const { speed, clock } = this.#options;
    return speed === 0 ? Number.POSITIVE_INFINITY : (clock.now() - this.#startedAtMs) * 1000 * speed;
  }

  #send(record: RecordedFrame): number {
    if (!this.audience.wants(record)) {
      return 0;
    }
    const text = this.audience.print(record);
    this.#unwritten += 1;
    const kind = record.kind === "book" && SNAPSHOT.test(text) ? "snapshot" : record.kind;
    this.audience.connection.send(text, { kind, symbol: record.symbol, onWritten: () => this.#onWritten() });
    this.audience.sent(record);
    return text.length;
  }

  #onWritten(): void {
    this.#unwritten -= 1;
    if (this.#unwritten === 0 && this.#whenDrained !== undefined) {
      const then = this.#whenDrained;
      this.#whenDrained = undefined;
      this.#options.clock.setTimer(then, 0);
    }
  }

  #drain(then: () => void): void {
    if (this.#unwritten === 0) {
      this.#options.clock.setTimer(then, 0);
    } else {
      this.#whenDrained = then;
    }
  }

  #end(): void {
    if (!this.#isStopped) {
      this.#isEnded = true;
      this.audience.ended();
      this.#options.onMoved();
    }
  }
}

// What a client needs before playback may start: the books and trades that the capture holds.
function needsOf(capture: Capture): Topic[] {
  const needs = new Map<string, Topic>();
  for (const record of capture.records) {
    if (isFrame(record) && (record.kind === "book" || record.kind === "trade")) {
      needs.set(`${record.kind} ${record.symbol} ${record.channel}`, record);
    }
  }
  return [...needs.values()];
}

function unavailable(): RestAnswer {
  return {
    status: 503,
    body: '{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}',
  };
}
