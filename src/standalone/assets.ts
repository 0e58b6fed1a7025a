/**
 * What src/assets.ts answers, from within the standalone binary, where it stands in that file's place: files are assets of
 * the executable and are read without a copy, worker threads run from their text, a child process is this executable again.
 * Bad case: an asset that the build forgot; the error names it, and the build starts the result once to see that.
 */
import { type ChildProcess, type ForkOptions, spawn } from "node:child_process";
import { getAsset, getRawAsset } from "node:sea";
import { Worker, type WorkerOptions } from "node:worker_threads";
import type { Assets, ServedFolder, WorkerName } from "../assets.ts";

/** What the build says of itself. */
export type About = {
  readonly version: string;
  /** Of the sources; ends in `+changes` when they were not committed. */
  readonly commit: string;
  /** Operating system and processor, e.g. `linux-x64`. */
  readonly target: string;
  /** The version of Node inside. */
  readonly node: string;
  /** Paths below the page's folder. */
  readonly page: readonly string[];
};

/** Reads what the build said of itself. @throws Error when this is no such binary */
export function readAbout(): About {
  return JSON.parse(getAsset("about.json", "utf8")) as About;
}

/** The bytes of an asset, in the executable itself: they can be read and not written. @throws Error when there is none */
export function readAsset(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(getRawAsset(name) as ArrayBuffer);
}

/** Starts a worker thread from its text. @param options as for `new Worker` */
export function startWorker(name: WorkerName, options: WorkerOptions): Worker {
  return new Worker(getAsset(`${name}.js`, "utf8"), { ...options, eval: true });
}

/** Starts this executable again, with a channel for messages. @param words behind the program's name */
export function forkProgram(words: readonly string[], options: ForkOptions = {}): ChildProcess {
  const { stdio = ["inherit", "inherit", "inherit", "ipc"], env = process.env } = options;
  return spawn(process.execPath, words, { stdio, env });
}

/** The built page: its files by path. */
export function dashboardFolder(): ServedFolder {
  return new Map(readAbout().page.map((path) => [path, readAsset(`dashboard/${path}`)]));
}

/** The version, as package.json gave it. */
export function packageVersion(): string {
  return readAbout().version;
}

/** Version, commit, target and the Node inside. */
export function versionText(): string {
  const { version, commit, target, node } = readAbout();
  return `${version} (commit ${commit}, ${target}, Node ${node})`;
}

({ readAsset, startWorker, forkProgram, dashboardFolder, packageVersion, versionText }) satisfies Assets;
