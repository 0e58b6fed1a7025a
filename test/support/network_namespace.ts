/**
 * A network namespace for a test: a machine of its own as far as the network goes, joined to ours by a pair of virtual
 * cards, and to nothing else. Bad case: no right to make one; the tests that need it are skipped by name.
 */
import { spawnSync } from "node:child_process";
import { optionalGift } from "./require.ts";

const PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

function ip(words: string): boolean {
  return spawnSync("ip", words.split(" "), { env: { ...process.env, PATH } }).status === 0;
}

function mayMakeNamespaces(): boolean {
  const name = `alphapulse-try-${process.pid}`;
  const isMade = ip(`netns add ${name}`) && ip(`-n ${name} link set lo up`);
  ip(`netns del ${name}`);
  return isMade;
}

/** Whether the tests that need network namespaces can run; a run without says so at its end. */
export const hasNamespaces = optionalGift(
  "the right to make network namespaces",
  process.platform === "linux" && mayMakeNamespaces(),
);

/** A namespace. */
export class NetworkNamespace {
  readonly name: string;
  /** Our address on the wire to it. */
  readonly here: string;
  /** Its address. */
  readonly there: string;
  readonly #card: string;

  /** @param number different for each that stands at one time, 0 … 99 */
  constructor(number: number) {
    const suffix = `${process.pid % 10_000}-${number}`;
    this.name = `ap-${suffix}`;
    this.#card = `ap${suffix}`;
    this.here = `10.213.${number}.1`;
    this.there = `10.213.${number}.2`;
    const commands = [
      `netns add ${this.name}`,
      `link add ${this.#card} type veth peer name eth0 netns ${this.name}`,
      `addr add ${this.here}/30 dev ${this.#card}`,
      `link set ${this.#card} up`,
      `-n ${this.name} addr add ${this.there}/30 dev eth0`,
      `-n ${this.name} link set eth0 up`,
      `-n ${this.name} link set lo up`,
    ];
    const refused = commands.find((command) => !ip(command));
    if (refused !== undefined) {
      this.close();
      throw new Error(`Cannot make a network namespace: a command failed, was ip ${refused}`);
    }
  }

  /** Words that run a program inside. */
  get prefix(): readonly string[] {
    return ["ip", "netns", "exec", this.name];
  }

  /** Pulls the cable. */
  cut(): void {
    ip(`link set ${this.#card} down`);
  }

  /** Puts it back. */
  mend(): void {
    ip(`link set ${this.#card} up`);
  }

  close(): void {
    ip(`link del ${this.#card}`);
    ip(`netns del ${this.name}`);
  }
}
