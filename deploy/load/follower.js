/**
 * What one client of the load holds of each book: its version and its times, not its levels; and what must hold of the
 * frames that come. Bad case: a book that begins anew after a reset; nothing is expected of it until its snapshot is whole.
 */
const DELTAS = 1;
const SNAPSHOT = 2;
const TRADES = 3;
const BBO = 4;
const CONFLATED = 5;
const KIND_MASK = 15;
const CHECK = 16;
const FIRST = 32;
const FINAL = 64;
const UNITS_NS = [1, 1000, 1_000_000];
/** Larger frames are parts of snapshots; to sum them up in JavaScript would measure k6, not the server. */
const CHECKED_BYTES_MAX = 4096;

/** Follows all instruments of one connection. */
export class Follower {
  /** @param seen takes `count(name, by)` and `latency(ms)` @param complain takes text */
  constructor(seen, complain) {
    this.seen = seen;
    this.complain = complain;
    this.books = new Map();
  }

  /** A control message. */
  text(message) {
    if (message.type === "subscribed" && message.instrument !== undefined) {
      const book = this.book(message.alias);
      book.name = message.instrument;
    } else if (message.type === "reset") {
      for (const book of this.books.values()) {
        if (book.name === message.instrument) {
          restart(book, message.channel);
        }
      }
    } else if (message.type === "error") {
      this.complain(`the server refused: ${message.code} ${message.message}`);
    }
  }

  /** A binary frame. @throws Error when it is not what may come */
  frame(cursor) {
    const head = cursor.u8();
    const kind = head & KIND_MASK;
    const alias = cursor.varint();
    const book = this.books.get(alias);
    if (book === undefined) {
      throw new Error(`a frame of kind ${kind} names alias ${alias}, which was not told`);
    }
    if (kind !== DELTAS && !cursor.checked(CHECKED_BYTES_MAX)) {
      throw new Error(`${book.name}: the checksum of a frame of kind ${kind} does not hold`);
    }
    switch (kind) {
      case DELTAS:
        this.deltas(cursor, book, (head & CHECK) !== 0);
        break;
      case SNAPSHOT:
        this.snapshot(cursor, book, head);
        break;
      case TRADES:
        this.trades(cursor, book);
        break;
      case BBO:
        bestPrices(cursor, book);
        break;
      case CONFLATED:
        this.conflated(cursor, book);
        break;
      default:
        throw new Error(`${book.name}: no frame is of kind ${kind}`);
    }
  }

  book(alias) {
    const found = this.books.get(alias) ?? { name: `alias ${alias}` };
    this.books.set(alias, found);
    restart(found, "book");
    restart(found, "trades");
    return found;
  }

  deltas(cursor, book, hasCheck) {
    if (!book.isWhole) {
      throw new Error(`${book.name}: changes came before a whole book`);
    }
    if (hasCheck) {
      cursor.end -= 8;
    }
    book.ends = [];
    let count = 0;
    while (cursor.at < cursor.end) {
      const shape = cursor.varint();
      const flags = shape % 8;
      if (flags & 1) {
        cursor.u8();
      }
      book.version += flags & 2 ? cursor.varint() + 1 : 1;
      if (flags & 4) {
        cursor.zigzag();
      }
      book.eventNs += cursor.time(book.unitNs);
      book.lagNs += cursor.time(1000);
      for (let left = (shape - flags) / 8; left > 0; left--) {
        cursor.change();
      }
      book.ends.push(book.version);
      count += 1;
    }
    cursor.mustEnd();
    if (!hasCheck && count === 0) {
      throw new Error(`${book.name}: a frame says nothing`);
    }
    this.seen.count("events", count);
    if (count > 0) {
      this.seen.latency(Date.now() - (book.originMs + (book.eventNs + book.lagNs) / 1e6));
    }
    arrive(book);
  }

  snapshot(cursor, book, head) {
    if (head & FIRST) {
      restart(book, "book");
      book.isComing = true;
      book.version = cursor.varint();
      cursor.at += 4 + 4 + 4 + 1 + 1 + 1;
      book.unitNs = unit(cursor);
      times(cursor, book);
      cursor.varint();
    } else if (!book.isComing) {
      throw new Error(`${book.name}: a part of a snapshot came without its first`);
    }
    if (head & FINAL) {
      book.isComing = false;
      book.isWhole = true;
      book.ends = [book.version];
      this.seen.count("snapshots", 1);
      arrive(book);
    }
  }

  conflated(cursor, book) {
    const from = cursor.varint();
    if (!book.isWhole || from !== book.version) {
      throw new Error(`${book.name}: an update begins at version ${from}, held is ${book.version}`);
    }
    book.version += cursor.varint();
    cursor.at += 4 + 4 + 1;
    times(cursor, book);
    cursor.varint();
    for (let left = cursor.varint(); left > 0; left--) {
      cursor.change();
    }
    cursor.mustEnd();
    book.ends = undefined;
    book.awaited = undefined;
    this.seen.count("events", 1);
  }

  trades(cursor, book) {
    const first = cursor.varint();
    if (book.tradeVersion !== undefined && first !== book.tradeVersion + 1) {
      throw new Error(`${book.name}: trade ${first} came after ${book.tradeVersion}`);
    }
    let count = 0;
    for (; cursor.at < cursor.end; count++) {
      const head = cursor.u8();
      cursor.zigzag();
      cursor.more(cursor.u8());
      cursor.time(1000);
      cursor.time(1000);
      if (head & 16) {
        cursor.zigzag();
      } else {
        // Not in one: the place to add to is taken before u8() moves it.
        const length = cursor.u8();
        cursor.at += length;
      }
      cursor.zigzag();
      cursor.zigzag();
    }
    cursor.mustEnd();
    book.tradeVersion = first + count - 1;
    this.seen.count("trades", count);
  }
}

/** Best prices belong to the end of an event: one of the last frame, or one that is still to come. */
function bestPrices(cursor, book) {
  const shape = cursor.u8();
  const version = cursor.varint();
  cursor.at += 16;
  for (const side of [1, 2]) {
    if (shape & side) {
      cursor.zigzag();
      cursor.more(cursor.u8());
    }
  }
  cursor.mustEnd();
  if (book.isWhole && version > book.version) {
    book.awaited = version;
  } else if (book.isWhole && book.ends !== undefined && version >= book.ends[0] && !book.ends.includes(version)) {
    throw new Error(`${book.name}: best prices are of version ${version}, events ended at ${book.ends.join(", ")}`);
  }
}

/** A frame was applied: what best prices named before must be the end of one of its events. */
function arrive(book) {
  const { awaited, ends } = book;
  if (awaited !== undefined && book.version >= awaited) {
    book.awaited = undefined;
    if (!ends.includes(awaited)) {
      throw new Error(`${book.name}: best prices were of version ${awaited}, events ended at ${ends.join(", ")}`);
    }
  }
}

/** @returns ns @throws Error when there is no such unit */
function unit(cursor) {
  const word = cursor.u8();
  const found = UNITS_NS[word];
  if (found === undefined) {
    throw new Error(`a snapshot tells times in an unknown unit, was ${word}`);
  }
  return found;
}

function times(cursor, book) {
  const eventMs = cursor.timeMs();
  book.originMs = eventMs;
  book.eventNs = 0;
  book.lagNs = Math.round((cursor.timeMs() - eventMs) * 1e6);
}

function restart(book, channel) {
  if (channel === "trades") {
    book.tradeVersion = undefined;
  } else if (channel === "book") {
    Object.assign(book, { isWhole: false, isComing: false, version: 0, ends: undefined, awaited: undefined });
  }
}
