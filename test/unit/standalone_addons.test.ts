/**
 * Where the standalone binary puts an addon before it maps it: only into folders of this user that nobody else can look
 * into, under a name nobody knows, and nothing stays behind. Bad case: a folder that somebody prepared; the next is taken.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadLibrary } from "../../src/standalone/addons.ts";

const BYTES = new TextEncoder().encode("a library");
const userId = process.geteuid?.() ?? 0;
let base = "";

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "alphapulse-addons-"));
});
afterEach(() => {
  chmodSync(base, 0o700);
  rmSync(base, { recursive: true, force: true });
});

function place(name: string): string {
  const path = join(base, name);
  mkdirSync(path);
  return path;
}

/** Reads what it is told to open, as the system would, and answers with that. */
function load(folders: string[], id = userId): { loaded: unknown; paths: string[] } {
  const paths: string[] = [];
  const open = (module: { exports: unknown }, path: string) => {
    paths.push(path);
    module.exports = readFileSync(path, "utf8");
  };
  return { loaded: loadLibrary("koffi.node", BYTES, { folders, userId: id, open }), paths };
}

describe.skipIf(process.platform !== "linux")("An addon of the standalone binary", () => {
  it("is opened whole through its descriptor and leaves no file when the first folder takes it", () => {
    const folder = place("a");
    const { loaded, paths } = load([folder, place("b")]);
    expect(loaded).toBe("a library");
    expect(paths).toEqual([expect.stringMatching(/^\/proc\/self\/fd\/\.\/\d+$/)]);
    const own = join(folder, `alphapulse-addons-${userId}`);
    expect(lstatSync(own).mode & 0o777).toBe(0o700);
    expect(readdirSync(own)).toEqual([]);
    expect(readdirSync(join(base, "b"))).toEqual([]);
  });

  it("goes to the next folder when one is a link, open to others, of another user, a file or absent", () => {
    const own = `alphapulse-addons-${userId}`;
    const link = place("link");
    symlinkSync(place("target"), join(link, own));
    const open = place("open");
    mkdirSync(join(open, own));
    chmodSync(join(open, own), 0o755);
    const file = place("file");
    writeFileSync(join(file, own), "");
    const good = place("good");
    expect(load([join(base, "absent"), link, open, file, good]).loaded).toBe("a library");
    expect(readdirSync(join(base, "target"))).toEqual([]);
    expect(() => load([link, open, file])).toThrow(
      /Cannot load koffi\.node: .*link: .*no directory; .*open: .*mode 755; .*file: /,
    );
    expect(() => load([place("theirs")], userId + 1)).toThrow(new RegExp(`belongs to user ${userId}, mode 700`));
  });

  it("goes to the next folder when the system will not run programs from one", () => {
    const [first, second] = [place("noexec"), place("exec")];
    let tries = 0;
    const open = (module: { exports: unknown }) => {
      tries += 1;
      if (tries === 1) {
        throw new Error("failed to map segment from shared object");
      }
      module.exports = "mapped";
    };
    expect(loadLibrary("uwebsockets.node", BYTES, { folders: [first, second], open })).toBe("mapped");
    expect(tries).toBe(2);
    expect(readdirSync(join(first, `alphapulse-addons-${userId}`))).toEqual([]);
  });
});
