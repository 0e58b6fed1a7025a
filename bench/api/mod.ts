/** The processes of the API benchmark. Bad case: a role that is not known; it is the load. */
import { runBareServer } from "./bare.ts";
import { runApiLoad } from "./load.ts";
import { BARE_WORD } from "./words.ts";

/** Becomes one of them. */
export async function runApiProcess([role]: readonly string[]): Promise<void> {
  if (role === BARE_WORD) {
    await runBareServer();
  } else {
    runApiLoad();
  }
}
