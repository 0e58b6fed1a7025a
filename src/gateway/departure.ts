/**
 * The gateway's way out: from its first word on it takes no client in, answers `/health` and `/ready` with 503, and sends
 * the clients that it has away one after the other, evenly over the time that it was given. Each is told when to come
 * back, a little later than its neighbours and by chance, so that whoever takes them over is not overrun.
 * Bad case: a client whose connection does not end; the time runs out, and the transport ends it when it closes.
 */
import { CLOSE_CODES, comeBackReason } from "../wire/protocol.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Sessions } from "./sessions.ts";

/** Hints lie between 0 and this: closings are spread already, hints only keep those of one step apart. */
const HINT_MS_MAX = 250;
/** The share of the time in which all are told; the rest is for what is still on its way. */
const TELLING_SHARE = 0.8;
const STEP_MS = 10;

/** What a departure works on. */
export type DepartureParts = {
  readonly sessions: Pick<Sessions, "size" | "isDraining" | "dismiss">;
  readonly scheduler: Pick<Scheduler, "after">;
  readonly now: () => number;
  /** 0 ≤ x < 1; default the system's. */
  readonly random?: () => number;
};

/**
 * Sends all clients away. Whoever connects from now on is refused.
 * @param drainMs how long it may take, ms; 0 = all at once
 * @returns when the last one is gone or the time is over; at once when there is none
 */
export function depart(parts: DepartureParts, drainMs: number): Promise<void> {
  const { sessions, scheduler, now, random = Math.random } = parts;
  sessions.isDraining = true;
  const startedAtMs = now();
  const count = sessions.size;
  let told = 0;
  return new Promise((resolve) => {
    const step = () => {
      const elapsedMs = Math.max(0, now() - startedAtMs);
      const share = drainMs > 0 ? Math.min(1, (elapsedMs + STEP_MS) / (drainMs * TELLING_SHARE)) : 1;
      const due = Math.ceil(count * share) - told;
      told += sessions.dismiss(due, () => ({
        code: CLOSE_CODES.goingAway,
        reason: comeBackReason(Math.floor(random() * HINT_MS_MAX)),
      }));
      if (sessions.size === 0 || elapsedMs >= drainMs) {
        resolve();
      } else {
        scheduler.after(STEP_MS, step);
      }
    };
    step();
  });
}
