/**
 * Reads WebSocket frames of a server where they landed: a message that lies whole in the landing is told by its place, and
 * nothing is copied or made for it. Only one that is cut by the end of a read, or that comes in fragments, is assembled.
 * UTF-8 is not checked here: what a frame says is judged by whoever reads it.
 * Bad case: a frame that claims gigabytes; what is kept grows with what came, and never beyond the largest payload.
 * @see RFC 6455, 5.2 to 5.5
 */
import { OPCODE_BINARY, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT } from "./client_frame.ts";

/** What a reader finds. Bytes are valid during the call only. */
export type FrameSink = {
  /** A whole message in the landing. @param start offset there */
  readonly landed: (start: number, length: number, isBinary: boolean) => void;
  /** A whole message that had to be assembled. */
  readonly assembled: (bytes: Buffer, isBinary: boolean) => void;
  readonly ping: (payload: Buffer) => void;
  readonly pong: () => void;
  /** The server closes. @param code 1005 when it gave none */
  readonly closed: (code: number, reason: string) => void;
  /** The server breaks the rules: nothing is read any more. @param code to close with */
  readonly failed: (code: number, reason: string) => void;
};

const FINAL = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const CONTROL_MAX = 125;
const HEAD_MAX = 10;
const ASSEMBLY_FIRST = 65_536;
/** A larger assembly is given up after use. */
const ASSEMBLY_KEPT = 4 << 20;
const TWO_32 = 4_294_967_296;
const CODE_PROTOCOL = 1002;
const CODE_NONE = 1005;
const CODE_TOO_LARGE = 1009;

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #landing: Uint8Array;
  readonly #payloadMax: number;
  readonly #sink: FrameSink;
  readonly #head = new Uint8Array(HEAD_MAX);
  #headLength = 0;
  #opcode = 0;
  #isFinal = false;
  /** Of the payload under way; −1 = a head comes next. */
  #remaining = -1;
  /** OPCODE_TEXT or OPCODE_BINARY while a message comes in fragments. */
  #fragmented = 0;
  #assembly: Buffer = Buffer.alloc(0);
  #assembled = 0;
  readonly #control = Buffer.alloc(CONTROL_MAX);
  #controlLength = 0;
  #hasStopped = false;

  /** @param landing where reads come in @param options.payloadMax bytes of a message */
  constructor(landing: Uint8Array, options: { payloadMax: number; sink: FrameSink }) {
    this.#landing = landing;
    this.#payloadMax = options.payloadMax;
    this.#sink = options.sink;
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#hasStopped = true;
  }

  /** A read came in. @param from its first byte in the landing @param until the one after its last */
  read(from: number, until: number): void {
    let at = from;
    while (at < until && !this.#hasStopped) {
      if (this.#remaining < 0) {
        at = this.#readHead(at, until);
        continue;
      }
      const isWhole = this.#remaining <= until - at;
      const isPlain = this.#isFinal && this.#fragmented === 0 && this.#assembled === 0;
      if (isWhole && isPlain && this.#opcode < OPCODE_CLOSE) {
        const length = this.#remaining;
        this.#remaining = -1;
        this.#sink.landed(at, length, this.#opcode === OPCODE_BINARY);
        at += length;
        continue;
      }
      at = this.#keep(at, until);
    }
    if (this.#remaining === 0 && !this.#hasStopped) {
      this.#finish();
    }
  }

  /** @returns the place behind what was read of the head */
  #readHead(from: number, until: number): number {
    const head = this.#head;
    let at = from;
    let needed = this.#headNeeded;
    while (at < until && this.#headLength < needed) {
      head[this.#headLength] = this.#landing[at] ?? 0;
      this.#headLength += 1;
      at += 1;
      needed = this.#headNeeded;
    }
    if (this.#headLength === needed) {
      this.#headLength = 0;
      this.#beginPayload(head[0] ?? 0, head[1] ?? 0);
    }
    return at;
  }

  get #headNeeded(): number {
    if (this.#headLength < 2) {
      return 2;
    }
    const length = (this.#head[1] ?? 0) & LENGTH;
    if (length === LENGTH_64) {
      return HEAD_MAX;
    }
    return length === LENGTH_16 ? 4 : 2;
  }

  #beginPayload(first: number, second: number): void {
    const opcode = first & OPCODE;
    const isControl = opcode >= OPCODE_CLOSE;
    const isFinal = (first & FINAL) !== 0;
    const length = this.#payloadLength(second & LENGTH);
    const isKnown = opcode <= OPCODE_BINARY || (isControl && opcode <= OPCODE_PONG);
    const isInOrder = isControl ? isFinal && length <= CONTROL_MAX : (opcode === 0) === (this.#fragmented !== 0);
    if ((first & RESERVED) !== 0 || (second & MASKED) !== 0 || !isKnown || !isInOrder) {
      this.#fail(CODE_PROTOCOL, `A frame breaks the rules, was ${first} ${second}`);
      return;
    }
    if (!isControl && length + this.#assembled > this.#payloadMax) {
      this.#fail(CODE_TOO_LARGE, "Max payload size exceeded");
      return;
    }
    this.#opcode = opcode;
    this.#isFinal = isFinal;
    this.#remaining = length;
    if (!isControl && !isFinal && opcode !== 0) {
      this.#fragmented = opcode;
    }
  }

  #payloadLength(short: number): number {
    const head = this.#head;
    if (short < LENGTH_16) {
      return short;
    }
    const word = (at: number) => ((head[at] ?? 0) << 8) | (head[at + 1] ?? 0);
    if (short === LENGTH_16) {
      return word(2);
    }
    return (word(2) * 65_536 + word(4)) * TWO_32 + (word(6) * 65_536 + word(8));
  }

  /** Keeps what came of a payload that is not whole, or that is a part. @returns the place behind it */
  #keep(from: number, until: number): number {
    const end = from + Math.min(this.#remaining, until - from);
    const part = this.#landing.subarray(from, end);
    if (this.#opcode >= OPCODE_CLOSE) {
      this.#control.set(part, this.#controlLength);
      this.#controlLength += part.length;
    } else {
      this.#makeRoom(this.#assembled + part.length);
      this.#assembly.set(part, this.#assembled);
      this.#assembled += part.length;
    }
    this.#remaining -= part.length;
    if (this.#remaining === 0) {
      this.#finish();
    }
    return end;
  }

  #makeRoom(bytes: number): void {
    if (bytes > this.#assembly.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(ASSEMBLY_FIRST, bytes, this.#assembly.length * 2));
      larger.set(this.#assembly.subarray(0, this.#assembled));
      this.#assembly = larger;
    }
  }

  /** The payload under way is whole. */
  #finish(): void {
    this.#remaining = -1;
    if (this.#opcode >= OPCODE_CLOSE) {
      const payload = this.#control.subarray(0, this.#controlLength);
      this.#controlLength = 0;
      this.#controlFrame(payload);
      return;
    }
    if (!this.#isFinal) {
      return;
    }
    const isBinary = (this.#fragmented === 0 ? this.#opcode : this.#fragmented) !== OPCODE_TEXT;
    const message = this.#assembly.subarray(0, this.#assembled);
    this.#fragmented = 0;
    this.#assembled = 0;
    if (this.#assembly.length > ASSEMBLY_KEPT) {
      this.#assembly = Buffer.alloc(0);
    }
    this.#sink.assembled(message, isBinary);
  }

  #controlFrame(payload: Buffer): void {
    if (this.#opcode === OPCODE_PING) {
      this.#sink.ping(payload);
    } else if (this.#opcode === OPCODE_PONG) {
      this.#sink.pong();
    } else if (payload.length === 1) {
      this.#fail(CODE_PROTOCOL, "A close frame breaks the rules, was 1 byte");
    } else {
      this.#hasStopped = true;
      const code = payload.length === 0 ? CODE_NONE : payload.readUInt16BE(0);
      this.#sink.closed(code, payload.toString("utf8", 2));
    }
  }

  #fail(code: number, reason: string): void {
    this.#hasStopped = true;
    this.#sink.failed(code, reason);
  }
}
