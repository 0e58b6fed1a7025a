/**
 * The Python consumer: a child process that gets every frame through a pipe, with the messages of follower.py. Several of
 * them can share the views, one process for so many cores. Bad case: a child that ends early; what it said is the problem.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { packageFolder } from "../../../src/assets.ts";
import type { Consumer, ConsumerAccount, FlipKind, Proof, Trial } from "./parts.ts";

const PYTHON = process.env.ALPHAPULSE_PYTHON ?? "python3";
const HEAD_BYTES = 9;
const CHUNK_BYTES = 1 << 18;
/** Bytes that may wait for the child before the producer waits. */
const WAITING_BYTES = 4 << 20;
const KINDS = { frame: 0, proof: 1, trial: 2, drop: 3, named: 4 } as const;
const FLIP_KINDS: readonly FlipKind[] = ["deltas", "checked", "snapshot", "conflated"];

/** Python can follow: it has numpy. */
export function hasPython(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import numpy"], { stdio: "ignore" });
    return true;
  } catch (error) {
    return !(error instanceof Error);
  }
}

/** Python processes that share the views. */
export class PythonConsumers implements Consumer {
  readonly #children: readonly PythonConsumer[];
  readonly #byAlias = new Map<number, PythonConsumer>();

  /** @param count processes */
  constructor(count: number) {
    this.#children = Array.from({ length: count }, () => new PythonConsumer());
  }

  frame(alias: number, bytes: Uint8Array): void {
    this.#of(alias).frame(alias, bytes);
  }

  expect(proof: Proof): void {
    this.#of(proof.alias).expect(proof);
  }

  attempt(trial: Trial): void {
    this.#of(trial.alias).attempt(trial);
  }

  drop(alias: number): void {
    this.#byAlias.delete(alias);
    for (const child of this.#children) {
      child.drop(alias);
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.settle()));
  }

  async finish(): Promise<ConsumerAccount> {
    try {
      return sumOf(await Promise.all(this.#children.map((child) => child.finish())));
    } finally {
      await this.kill();
    }
  }

  /** Ends the children that still run. */
  async kill(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()));
  }

  /** A view that is not known yet goes to whoever was given least. */
  #of(alias: number): PythonConsumer {
    const known = this.#byAlias.get(alias);
    if (known !== undefined) {
      return known;
    }
    const chosen = this.#children.reduce((least, child) => (child.given < least.given ? child : least));
    this.#byAlias.set(alias, chosen);
    for (const child of this.#children.filter((one) => one !== chosen)) {
      child.name(alias);
    }
    return chosen;
  }
}

function sumOf(accounts: readonly ConsumerAccount[]): ConsumerAccount {
  const flips: Record<string, Record<string, number>> = {};
  for (const [kind, ends] of accounts.flatMap((account) => Object.entries(account.flips))) {
    const sums = flips[kind] ?? {};
    flips[kind] = sums;
    for (const [end, count] of Object.entries(ends)) {
      sums[end] = (sums[end] ?? 0) + count;
    }
  }
  const sum = (of: (account: ConsumerAccount) => number) => accounts.reduce((total, account) => total + of(account), 0);
  return {
    name: `python, ${accounts.length} processes`,
    frames: sum(({ frames }) => frames),
    bytes: sum(({ bytes }) => bytes),
    proofs: sum(({ proofs }) => proofs),
    books: sum(({ books }) => books),
    levels: sum(({ levels }) => levels),
    trials: sum(({ trials }) => trials),
    flips,
    problems: accounts.flatMap(({ problems }) => problems),
    cpuSeconds: Math.round(sum(({ cpuSeconds }) => cpuSeconds ?? 0)),
  };
}

/** Gives frames to one Python process. */
export class PythonConsumer implements Consumer {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<unknown>;
  /** Bytes of frames so far. */
  given = 0;
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #used = 0;
  #errors = "";

  constructor() {
    this.#child = spawn(PYTHON, [join(packageFolder(), "test/long/stream/follower.py")], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PYTHONPATH: join(packageFolder(), "python/src"), PYTHONDONTWRITEBYTECODE: "1" },
    });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null) {
      throw new Error("Cannot follow in Python: the child has no pipes");
    }
    createInterface({ input: stdout }).on("line", (line) => {
      this.#lines.push(line);
    });
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    stdin.on("error", (error) => {
      this.#errors += `${error.message}\n`;
    });
    this.#ended = once(this.#child, "close");
  }

  frame(alias: number, bytes: Uint8Array): void {
    this.given += bytes.length;
    this.#head(KINDS.frame, { alias, length: bytes.length });
    this.#bytes(bytes);
  }

  expect({ alias, version, hash, levels }: Proof): void {
    this.#head(KINDS.proof, { alias, length: 12 + (levels?.length ?? 0) });
    const words = Buffer.allocUnsafe(12);
    words.writeBigUInt64LE(BigInt(version), 0);
    words.writeUInt32LE(hash, 8);
    this.#bytes(words);
    this.#bytes(levels ?? new Uint8Array());
  }

  attempt({ alias, kind, parts, frames, at, bit }: Trial): void {
    const texts = [...parts, ...frames];
    const length = 11 + texts.reduce((sum, text) => sum + 4 + text.length, 0);
    this.#head(KINDS.trial, { alias, length });
    const words = Buffer.allocUnsafe(11);
    words.writeUInt8(FLIP_KINDS.indexOf(kind), 0);
    words.writeUInt16LE(parts.length, 1);
    words.writeUInt16LE(frames.length, 3);
    words.writeUInt16LE(at, 5);
    words.writeUInt32LE(bit, 7);
    this.#bytes(words);
    for (const text of texts) {
      const head = Buffer.allocUnsafe(4);
      head.writeUInt32LE(text.length);
      this.#bytes(head);
      this.#bytes(text);
    }
  }

  /** The alias names a view that another process follows. */
  name(alias: number): void {
    this.#head(KINDS.named, { alias, length: 0 });
  }

  drop(alias: number): void {
    this.#head(KINDS.drop, { alias, length: 0 });
  }

  /** Waits while much of what was written is still in this process. */
  async settle(): Promise<void> {
    this.#send();
    const { stdin } = this.#child;
    if (stdin !== null && stdin.writableLength > WAITING_BYTES && this.#child.exitCode === null) {
      await Promise.race([once(stdin, "drain"), this.#ended]);
    }
  }

  async finish(): Promise<ConsumerAccount> {
    this.#send();
    this.#child.stdin?.end();
    await this.#ended;
    const line = this.#lines.at(-1);
    if (this.#child.exitCode !== 0 || line === undefined) {
      throw new Error(`Cannot follow in Python: it ended with ${this.#child.exitCode}, said ${this.#errors}`);
    }
    return JSON.parse(line) as ConsumerAccount;
  }

  /** Ends the child, if it still runs. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #head(kind: number, { alias, length }: { alias: number; length: number }): void {
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.writeUInt32LE(length, 0);
    head.writeUInt8(kind, 4);
    head.writeUInt32LE(alias, 5);
    this.#bytes(head);
  }

  #bytes(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#chunk.length) {
      this.#send();
    }
    if (bytes.length > this.#chunk.length) {
      this.#child.stdin?.write(bytes.slice());
      return;
    }
    this.#chunk.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #send(): void {
    if (this.#used > 0) {
      this.#child.stdin?.write(this.#chunk.subarray(0, this.#used));
      this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      this.#used = 0;
    }
  }
}
