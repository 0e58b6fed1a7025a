/**
 * Makes a kernel instance over a memory: WebAssembly through the AssemblyScript loader, or the twin.
 * Both are synchronous, so that a worker can answer its first frame at once. Bad case: a WebAssembly build that asks for
 * more than the memory; instantiation fails with the engine's message as the cause.
 */

import { instantiateSync } from "@assemblyscript/loader";
import type { Kernel, KernelName } from "./kernel.ts";
import { createTwin } from "./twin/mod.ts";

/** What a kernel is made of. */
export interface LoadOptions {
  /** `wasm` needs `wasmBytes`. */
  readonly name: KernelName;
  /** Linear memory; shared between all instances of a process. */
  readonly memory: WebAssembly.Memory;
  /** Bytes of kernel.wasm (assets.readAsset("kernel.wasm")); a compiled module is taken as well. */
  readonly wasmBytes?: Uint8Array<ArrayBuffer> | WebAssembly.Module;
}

/** Exports whose u32 results would else come out negative. */
const UNSIGNED = [
  "levelHash",
  "crc32",
  "bookHash",
  "bookCount",
  "arenaAllocate",
  "arenaUsed",
  "outcomeAddress",
  "instrumentCreate",
  "instrumentFind",
  "bookCreate",
  "watchCreate",
  "readerCreate",
  "replicaCreate",
] as const;

/**
 * Instantiates a kernel.
 * @returns an instance that belongs to the calling thread
 * @throws {TypeError} when `wasm` is asked for without bytes
 * @throws {WebAssembly.LinkError} when the memory is too small or not shared
 */
export function loadKernel(options: LoadOptions): Kernel {
  if (options.name === "twin") return createTwin(options.memory.buffer);
  if (options.wasmBytes === undefined)
    throw new TypeError("Cannot load the kernel: wasmBytes are missing, was undefined");
  const module =
    options.wasmBytes instanceof WebAssembly.Module ? options.wasmBytes : new WebAssembly.Module(options.wasmBytes);
  const { exports } = instantiateSync<Record<string, unknown>>(module, { env: { memory: options.memory } });
  const functions: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports))
    if (typeof value === "function" && !name.startsWith("__")) functions[name] = value;
  for (const name of UNSIGNED) functions[name] = unsigned(functions[name]);
  return Object.assign(functions, { name: "wasm", buffer: options.memory.buffer }) as unknown as Kernel;
}

function unsigned(value: unknown): (...parameters: number[]) => number {
  const call = value as (...parameters: number[]) => number;
  return (a = 0, b = 0, c = 0) => call(a, b, c) >>> 0;
}
