/**
 * The page's files, read into memory once at start and served from there: a request can only name what was found, so no
 * path leads out of the folder, and no request waits for a disk.
 * Bad case: a folder of unexpected size; beyond the limit the start fails instead of eating the memory.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { ConfigError } from "../errors.ts";
import type { HttpAnswer, HttpRequest } from "./transport.ts";

const FOLDER_BYTES_MAX = 67_108_864;
const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};
/** Names with a content hash never change; everything else is asked for again. */
const HASHED_NAME = /[-.][A-Za-z0-9_-]{8,}\.(?:js|css|woff2|png|svg|wasm)$/;

type StaticFile = { readonly type: string; readonly bytes: Uint8Array; readonly tag: string; readonly cache: string };

/** Files that can be served. */
export class StaticFiles {
  readonly #files = new Map<string, StaticFile>();

  /**
   * @param folder its files are served by their path below it; `/` is index.html
   * @throws ConfigError when it cannot be read or is larger than 64 MiB
   */
  constructor(folder: string) {
    let bytesLeft = FOLDER_BYTES_MAX;
    for (const path of listFiles(folder)) {
      const bytes = new Uint8Array(readFileSync(path));
      bytesLeft -= bytes.byteLength;
      if (bytesLeft < 0) {
        throw new ConfigError(`Cannot serve the page: more than ${FOLDER_BYTES_MAX} bytes, was ${folder}`);
      }
      const name = `/${relative(folder, path).split(sep).join("/")}`;
      this.#files.set(name, {
        type: TYPES[extname(path).toLowerCase()] ?? "application/octet-stream",
        bytes,
        tag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
        cache: HASHED_NAME.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
      });
    }
  }

  /** @returns undefined when there is no such file */
  answer(request: Pick<HttpRequest, "path" | "ifNoneMatch">): HttpAnswer | undefined {
    const file = this.#files.get(request.path === "/" ? "/index.html" : decodePath(request.path));
    if (file === undefined) {
      return undefined;
    }
    const headers = {
      "content-type": file.type,
      "cache-control": file.cache,
      etag: file.tag,
      "x-content-type-options": "nosniff",
    };
    return request.ifNoneMatch === file.tag
      ? { status: 304, headers, body: "" }
      : { status: 200, headers, body: file.bytes };
  }
}

function listFiles(folder: string): string[] {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
  } catch (cause) {
    throw new ConfigError(`Cannot serve the page: its folder cannot be read, was ${folder}`, { cause });
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) {
      return path;
    }
    throw error;
  }
}
