/**
 * How the book channel of one subscription begins, one piece at a time: the parts of a snapshot, then what changed since
 * its version as one update; or that update alone for a client that holds a version already.
 * Bad case: a book that changes faster than its client reads; the history does not lead from one snapshot to the present,
 * and the next snapshot follows, each one whole and right.
 */
import { forgetProgress, type Subscription } from "./subscription.ts";
import type { Payload } from "./transport.ts";

/** A piece of a beginning: bytes to send, if any; `begun`: from here on the topic tells. `wait`: the book is not ready. */
export type BeginningStep =
  | { readonly kind: "wait" }
  | { readonly kind: "part"; readonly payload: Payload }
  | { readonly kind: "update"; readonly payload: Payload }
  | { readonly kind: "begun" };

const WAIT: BeginningStep = { kind: "wait" };
const BEGUN: BeginningStep = { kind: "begun" };

/**
 * The next piece. What it yields must be sent before the next one is asked for, and after `begun` the client must be on
 * its topic before anything is published.
 */
export function nextPiece(subscription: Subscription): BeginningStep {
  const { under, view } = subscription;
  if (under !== undefined) {
    return nextPart(subscription, under);
  }
  if (!view.isReady) {
    return WAIT;
  }
  view.flush();
  const { output } = view;
  const { form } = subscription.session;
  const { held, owesUpdate } = subscription;
  if (held === output.replica.version && !owesUpdate) {
    return BEGUN;
  }
  const payload = held === undefined ? undefined : output.update(form, held);
  subscription.owesUpdate = false;
  if (payload !== undefined) {
    subscription.held = output.replica.version;
    return { kind: "update", payload };
  }
  const begun = { snapshot: output.snapshot(form, held), next: 0 };
  forgetProgress(subscription);
  subscription.under = begun;
  return nextPart(subscription, begun);
}

function nextPart(subscription: Subscription, under: NonNullable<Subscription["under"]>): BeginningStep {
  const { parts, version } = under.snapshot;
  const payload = parts[under.next] ?? "";
  under.next += 1;
  if (under.next >= parts.length) {
    subscription.under = undefined;
    subscription.held = version;
  }
  return { kind: "part", payload };
}
