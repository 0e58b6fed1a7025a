/**
 * The books in Rust, compiled with rustc for this run and called through koffi in this process: one call applies every
 * change of a stream. They are given decoded integers, so they are compared with our book alone, never with frames.
 * Bad case: no rustc, or a compiler that fails; the books are skipped by that name.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../../src/assets.ts";
import { CHANGE_BYTES, type LevelChanges } from "./level_changes.ts";

/** Books of one kind, opened on a stream's changes. */
export type RustBooks = {
  readonly name: string;
  readonly reset: () => void;
  /** Applies every change. */
  readonly run: () => void;
  readonly digest: (book: number) => number;
  readonly close: () => void;
};

/** The compiled library. */
export type RustLibrary = {
  /** e.g. `rustc 1.95.0`. */
  readonly version: string;
  readonly settings: string;
  readonly open: (changes: LevelChanges) => RustBooks[];
};

/** Why there is none. */
export type MissingRust = { readonly missing: string };

const SOURCE = "bench/peers/rust/book.rs";
const FLAGS = ["-C", "opt-level=3", "-C", "target-cpu=native", "-C", "panic=abort"];
const KINDS = ["Rust BTreeMap", "Rust sorted Vec"] as const;
const run = promisify(execFile);

/** Compiles and loads it. */
export async function openRust(): Promise<RustLibrary | MissingRust> {
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-rust-"));
  const library = join(folder, "libbook.so");
  try {
    const { stdout } = await run("rustc", ["--version"]);
    const source = join(packageFolder(), SOURCE);
    await run("rustc", ["--edition", "2021", "--crate-type", "cdylib", ...FLAGS, "-o", library, source]);
    // A library that is loaded stays when its file is gone.
    return await loadRust(library, stdout.split(" ").slice(0, 2).join(" "));
  } catch (cause) {
    const isAbsent = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    return { missing: isAbsent ? "rustc is not there" : `rustc failed: ${String(cause).split("\n", 1)[0]}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function loadRust(library: string, version: string): Promise<RustLibrary> {
  const { default: koffi } = await import("koffi");
  const loaded = koffi.load(library);
  const open = loaded.func("void *books_open(uint32_t kind, uint32_t books, const void *changes, uint32_t count)");
  const reset = loaded.func("void books_reset(void *opened)");
  const apply = loaded.func("void books_run(void *opened, const void *changes, uint32_t count)");
  const digest = loaded.func("uint32_t books_digest(void *opened, uint32_t book)");
  const close = loaded.func("void books_close(void *opened)");
  const openAll = ({ first, changes, digests }: LevelChanges) =>
    KINDS.map((name, kind): RustBooks => {
      const opened: unknown = open(kind, digests.length, first, first.length / CHANGE_BYTES);
      const count = changes.length / CHANGE_BYTES;
      return {
        name,
        reset: () => void reset(opened),
        run: () => void apply(opened, changes, count),
        digest: (book) => Number(digest(opened, book)),
        close: () => void close(opened),
      };
    });
  return { version, settings: FLAGS.filter((flag) => flag !== "-C").join(", "), open: openAll };
}
