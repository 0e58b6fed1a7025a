/**
 * One channel of one instrument for one client, and how far it has come: pending until its beginning was sent, then live
 * on its topic. A book's beginning is a snapshot, in parts as the client reads, and what changed meanwhile as one update;
 * or that update alone, for a client that holds a version from which the history leads on.
 * Bad case: a snapshot under way while the book is lost; the parts are forgotten and the beginning starts over.
 */
import type { MarketChannel, Policy, ResetReason } from "../wire/protocol.ts";
import type { Snapshot } from "./book_snapshots.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { Form } from "./outlet.ts";
import type { Session } from "./session.ts";
import type { StreamView } from "./stream_view.ts";
import { marketTopic } from "./topics.ts";
import type { ViewShape } from "./view_registry.ts";

/** What a client asks for; depth and rate are 0 for other channels than `book`. */
export type Wish = ViewShape & { readonly channel: MarketChannel; readonly policy: Policy };

/** Where a client stands that comes back. */
export type Standpoint = { readonly epoch: number; readonly version: number };

/** One channel of one instrument for one client. */
export type Subscription = {
  readonly session: Session;
  readonly instrument: ServedInstrument;
  readonly channel: MarketChannel;
  /** The view that a book is of; the instrument's book for other channels. */
  readonly view: StreamView;
  /** Undefined for `status`, which every client of the instrument gets. */
  readonly topic: string | undefined;
  policy: Policy;
  /** On its topic. */
  isLive: boolean;
  /** The version that the client holds while the subscription is not live; undefined = none that leads anywhere. */
  held: number | undefined;
  /** The client was promised an update from the version it holds, also when nothing changed. */
  owesUpdate: boolean;
  /** A snapshot of which some parts were sent. */
  under: { readonly snapshot: Snapshot; next: number } | undefined;
  /** To be told before it begins again. */
  reset: ResetReason | undefined;
};

/** A subscription that has not begun. */
export function createSubscription(
  session: Session,
  parts: { instrument: ServedInstrument; view: StreamView; wish: Wish },
): Subscription {
  const { instrument, view, wish } = parts;
  return {
    session,
    instrument,
    channel: wish.channel,
    view,
    topic: topicOf({ instrument, view, channel: wish.channel, form: session.form }),
    policy: wish.policy,
    isLive: false,
    held: undefined,
    owesUpdate: false,
    under: undefined,
    reset: undefined,
  };
}

/** What subscriptions of one client are told apart by. */
export function subscriptionKey(
  instrument: ServedInstrument,
  { channel, depth, rateMs }: Omit<Wish, "policy">,
): string {
  return `${channel}.${instrument.alias}.${depth}.${rateMs}`;
}

/** Depth and rate as messages name them. */
export function shapeOf({ channel, view }: Pick<Subscription, "channel" | "view">): ViewShape {
  const { depth, rateMs } = view.output.label;
  return channel === "book" ? { depth, rateMs } : { depth: 0, rateMs: 0 };
}

/** Whatever the client held leads nowhere: the next beginning is a snapshot. */
export function forgetProgress(subscription: Subscription): void {
  subscription.held = undefined;
  subscription.under = undefined;
  subscription.owesUpdate = false;
}

function topicOf(parts: {
  instrument: ServedInstrument;
  view: StreamView;
  channel: MarketChannel;
  form: Form;
}): string | undefined {
  const { instrument, view, channel, form } = parts;
  if (channel === "status") {
    return undefined;
  }
  return channel === "book" ? view.output.topics[form] : marketTopic(instrument.alias, channel, form);
}
