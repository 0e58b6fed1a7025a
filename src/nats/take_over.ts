/**
 * A book goes over from one collector to another of the same exchange although their books differ, because each knows
 * levels that the other does not: what the exchange numbers but shows only in part. No event is lost: first the levels
 * that differ and that no event since touches, and those that the other learns from these events only, then each of those
 * events, told against the book that is there.
 *
 * Why it is exact: a level that none of the events e1 … en touches has in the other's book at the place of L the quantity
 * that it has now, so the first step makes it right. A level that they touch is set by the last of them to the quantity
 * that it has now. After both, every level is the other's; the hash proves it. An event that removed a level which the
 * other did not know then is not among e1 … en; the first step removes it, also when a later one brings it back.
 * Bad case: more differences than the limit; nothing is done and the caller sends a whole book.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  FLAG_CROSSED,
  FLAG_SNAPSHOT,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { bookDifference, type LevelDifference } from "./difference.ts";
import type { Lane, LaneEvent } from "./lane.ts";
import type { LocalBook } from "./local_book.ts";
import { differenceRecords } from "./record_writer.ts";
import { LEVELS_CHUNK, type Workspace } from "./workspace.ts";

type Change = {
  readonly side: number;
  readonly price: bigint;
  readonly quantity: bigint;
  /** The level was not in the other's book before. */
  readonly isAdded: boolean;
};

/**
 * Makes a merged book another collector's, event by event.
 * @param options.events those of the lane that are beyond the merged book
 * @param options.limit differences at most
 * @returns whether it is the lane's book now; false = the merged book must be replaced
 */
export function takeOver(
  workspace: Workspace,
  options: { local: LocalBook; lane: Lane; events: readonly LaneEvent[]; limit: number },
): boolean {
  const { local, lane, events, limit } = options;
  const changes = events.map(({ records }) => records.flatMap(changesOf));
  const touched = new Set(changes.flat().map(nameOf));
  const all = bookDifference(workspace, { from: local.book, to: lane.book, limit });
  if (all === undefined) {
    return false;
  }
  const quantities = heldQuantities(workspace, local.book, touched);
  const unknown = unknownLevels(changes.flat(), quantities);
  const untouched = [...all.filter((level) => !touched.has(nameOf(level))), ...unknown];
  if (untouched.length > 0) {
    const stamp = { ...local.mark, receivedAtNs: local.receivedAtNs, flags: FLAG_SNAPSHOT };
    if (!local.append(differenceRecords(workspace, untouched, { hash: local.hash, stamp }))) {
      return false;
    }
  }
  return (
    events.every((event, index) => tell(workspace, { local, event, changes: changes[index] ?? [], quantities })) &&
    local.hash === lane.front.hash
  );
}

/**
 * Levels that only the merged book has now, and that the other learns from its events: until then it would not tell that
 * they went. They are taken out of what is held.
 */
function unknownLevels(changes: readonly Change[], quantities: Map<string, bigint>): LevelDifference[] {
  const seen = new Set<string>();
  return changes.flatMap((change) => {
    const name = nameOf(change);
    const before = quantities.get(name) ?? 0n;
    const isUnknown = !seen.has(name) && change.isAdded && before !== 0n;
    seen.add(name);
    if (!isUnknown) {
      return [];
    }
    quantities.delete(name);
    return [{ side: change.side, price: change.price, before, after: 0n }];
  });
}

/** Tells an event against the book that is there. */
function tell(
  workspace: Workspace,
  {
    local,
    event,
    changes,
    quantities,
  }: { local: LocalBook; event: LaneEvent; changes: readonly Change[]; quantities: Map<string, bigint> },
): boolean {
  const levels: LevelDifference[] = [];
  for (const change of changes) {
    const name = nameOf(change);
    const before = quantities.get(name) ?? 0n;
    quantities.set(name, change.quantity);
    if (before !== change.quantity) {
      levels.push({ side: change.side, price: change.price, before, after: change.quantity });
    }
  }
  const last = event.records.at(-1);
  const view = last === undefined ? undefined : viewOf(last);
  const flags = (view?.getUint16(DELTA_FLAGS, true) ?? 0) & (FLAG_CROSSED | FLAG_SNAPSHOT);
  const receivedAtNs = view?.getBigUint64(DELTA_RECEIVED_AT, true) ?? 0n;
  const stamp = { ...event.point, receivedAtNs, flags };
  return local.append(differenceRecords(workspace, levels, { hash: local.hash, stamp }));
}

/** What a book holds at the levels named. */
function heldQuantities(
  { kernel, memory, levels }: Workspace,
  book: number,
  names: ReadonlySet<string>,
): Map<string, bigint> {
  const found = new Map<string, bigint>();
  for (const side of [SIDE_BID, SIDE_ASK]) {
    let from = 0;
    for (let count = -1; count !== 0; from += count) {
      count = kernel.bookWalk(book, side, from, LEVELS_CHUNK, levels);
      for (let index = 0; index < count; index++) {
        const at = levels + index * LEVEL_BYTES;
        const name = nameOf({ side, price: memory.getBigInt64(at + LEVEL_PRICE, true) });
        if (names.has(name)) {
          found.set(name, memory.getBigInt64(at + LEVEL_QUANTITY, true));
        }
      }
    }
  }
  return found;
}

function changesOf(record: Uint8Array): Change[] {
  const view = viewOf(record);
  const base = view.getBigInt64(DELTA_BASE_PRICE, true);
  const sides = view.getUint16(DELTA_SIDE_MASK, true);
  const adds = view.getUint16(DELTA_ADD_MASK, true);
  return Array.from({ length: view.getUint8(DELTA_CHANGE_COUNT) }, (_, index) => ({
    side: (sides >>> index) & 1,
    price: base + BigInt(view.getInt32(DELTA_PRICE_OFFSETS + index * 4, true)),
    quantity: view.getBigInt64(DELTA_QUANTITIES + index * 8, true),
    isAdded: ((adds >>> index) & 1) !== 0,
  }));
}

function nameOf({ side, price }: { side: number; price: bigint }): string {
  return `${side} ${price}`;
}

function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.length);
}
