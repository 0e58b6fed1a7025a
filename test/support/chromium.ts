/**
 * Finds a Chromium for the browser tests: playwright-core brings none. Bad case: none is installed; the tests then skip
 * through `optionalPart("Chromium", …)`, which says so at the end of the run.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const PLACES = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Flags for a headless Chromium in a container: no sandbox for root, no GPU, little /dev/shm. */
export const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] as const;

/**
 * Where a Chromium stands: ALPHAPULSE_CHROMIUM, else the first on PATH, else the usual places of macOS.
 * @returns absolute path of the executable; undefined when there is none
 */
export function chromiumPath(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.length > 0);
  const named = process.env.ALPHAPULSE_CHROMIUM;
  const candidates = [
    ...(named === undefined ? [] : [named]),
    ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))),
    ...PLACES,
  ];
  return candidates.find((path) => existsSync(path));
}
