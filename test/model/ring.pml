/*
 * The ring protocol: one producer, READERS readers that keep their cursors to themselves. The steps are
 * named after assembly/producer.ts, delta.ts and ring.ts. A record is three words, each holding position + 1 of the
 * record that it was written for: HEAD (recordOpen), SEAL (recordClose), STAMP (publish). A record that a reader takes
 * must be whole, the one that is next by what the reader took and counted as lost, and visible in all its words.
 * Bad case: each -DBUG_… below; spin must find every one of them.
 */
#ifndef CAPACITY
#define CAPACITY 4
#endif
#ifndef RECORDS
#define RECORDS 9
#endif
#ifndef READERS
#define READERS 1
#endif
/* Records of one event at most; more than the ring holds, the exception to batches of a quarter. */
#ifndef EVENT_RECORDS
#define EVENT_RECORDS 5
#endif
/* Records that eventBegin announces at most: three quarters of the ring, or a ring at rest may lap its readers. */
#ifdef BUG_CLAIM_TOO_LARGE
#define CLAIM_RECORDS (CAPACITY + 1)
#endif
#ifndef CLAIM_RECORDS
#define CLAIM_RECORDS 3
#endif
/* Records that a claim announces beyond what it must: the 1,024th part of a ring, so none of one as small as these. */
#ifndef AHEAD
#define AHEAD 0
#endif
#ifdef BUG_CLAIM_RENEWED_LATE
#define CLAIMED (deltaIntent + 1)
#else
#define CLAIMED deltaIntent
#endif
/* Records of one poll at most. */
#ifndef LIMIT
#define LIMIT 3
#endif

#define RECORD_WORDS 3
#define HEAD 0
#define SEAL 1
#define STAMP 2
#define SLOT(at) (((at) % CAPACITY) * RECORD_WORDS)
#define TAIL (CAPACITY * RECORD_WORDS)
#define INTENT (TAIL + 1)
#define WORDS (TAIL + 2)
#define IS_ATOMIC(at) ((at) >= TAIL)
#define WRITERS 1
#define PRODUCER 0
#ifndef BUFFER
#define BUFFER 40
#endif

#include "tso.pml"

/* Everything is written and published. */
bool finished;

/* ── producer.ts, delta.ts, ring.ts: the producer ── */

byte deltaPosition, deltaTail, deltaIntent;

inline deltaClaim(count) {
  if
  :: deltaPosition + count > CLAIMED ->
    deltaIntent = deltaPosition + count + AHEAD;
#ifndef BUG_NO_INTENT
    atomicStore(PRODUCER, INTENT, deltaIntent)
#endif
  :: else
  fi
}

/* recordOpen with deltaNext, changes, recordClose: plain stores behind the claim. */
inline recordWrite() {
  atomic {
#ifndef BUG_CLAIM_AFTER_WRITE
    deltaClaim(1);
#endif
#ifdef BUG_PUBLISH_BEFORE_WRITE
    deltaPosition++;
    tailsPublish();
    deltaPosition--;
#endif
    d_step {
      push(PRODUCER, SLOT(deltaPosition) + HEAD, 0);
      push(PRODUCER, SLOT(deltaPosition) + SEAL, 0);
      push(PRODUCER, SLOT(deltaPosition) + STAMP, 0);
      push(PRODUCER, SLOT(deltaPosition) + HEAD, deltaPosition + 1);
      push(PRODUCER, SLOT(deltaPosition) + SEAL, deltaPosition + 1)
    };
#ifdef BUG_CLAIM_AFTER_WRITE
    deltaClaim(1);
#endif
    deltaPosition++
  }
}

inline tailsPublish() {
  deltaTail = deltaPosition;
  atomicStore(PRODUCER, TAIL, deltaTail)
}

inline stamp(from) {
  d_step {
    at = (deltaPosition - from > CAPACITY -> deltaPosition - CAPACITY : from);
    do
    :: at < deltaPosition -> push(PRODUCER, SLOT(at) + STAMP, at + 1); at++
    :: else -> break
    od;
    at = 0
  }
}

inline publish() {
#ifdef BUG_STAMP_AFTER_TAIL
  before = deltaTail;
  tailsPublish();
  stamp(before);
  before = 0
#else
  stamp(deltaTail);
  tailsPublish()
#endif
}

/* An upper bound of the records to come is announced, or nothing. */
inline eventBegin() {
  do
  :: claim < CLAIM_RECORDS -> claim++
  :: break
  od;
  deltaClaim(claim);
  claim = 0
}

inline eventEnd() {
  if
  :: deltaPosition - deltaTail > CAPACITY / 4 -> publish()
  :: else
  fi
}

proctype producer() {
  byte records, claim, at;
#ifdef BUG_STAMP_AFTER_TAIL
  byte before;
#endif
  do
  :: atomic { deltaPosition < RECORDS -> eventBegin() };
    do
    :: records < EVENT_RECORDS && deltaPosition < RECORDS -> recordWrite(); records++
    :: atomic { records > 0 -> records = 0; eventEnd(); break }
    od
  :: atomic { deltaTail != deltaPosition -> publish() }
  :: atomic {
      deltaPosition == RECORDS && deltaTail == deltaPosition && buffers[PRODUCER].used == 0 ->
      finished = true;
      break
    }
  od
}

/* ── ring.ts: a reader ── */

/* What the reader took and what it counted as lost must add up to the position of what it takes next. */
#define NEXT (start + accepted + lost)

inline copyRecords() {
  do
  :: d_step {
      word < take * RECORD_WORDS ->
      torn = torn || memory[SLOT(cursor + word / RECORD_WORDS) + word % RECORD_WORDS] != cursor + word / RECORD_WORDS + 1;
      word++
    }
  :: atomic { word == take * RECORD_WORDS -> word = 0; break }
  od
}

inline lapped() {
  d_step {
    tail = memory[TAIL];
    fresh = (tail < CAPACITY / 4 -> 0 : tail - CAPACITY / 4);
#ifndef BUG_REJOIN_BACKWARDS
    fresh = (fresh < cursor -> cursor : fresh);
#endif
    /* A ring at rest can be read: it does not lap its readers for ever. */
    assert(!finished || fresh > cursor);
#ifdef BUG_LOST_NOT_EXACT
    lost = lost + tail - cursor;
#else
    lost = lost + fresh - cursor;
#endif
    cursor = fresh;
    assert(NEXT == cursor);
    fresh = 0;
    tail = 0
  }
}

/* Positions from here up may be being written: read after the copy. */
#ifdef BUG_NO_INTENT
#define ANNOUNCED memory[TAIL]
#else
#ifdef BUG_CHECK_BEFORE_COPY
#define ANNOUNCED intent
#else
#define ANNOUNCED memory[INTENT]
#endif
#endif
#ifdef BUG_CHECK_OFF_BY_ONE
#define REACH (cursor + CAPACITY + 1)
#else
#define REACH (cursor + CAPACITY)
#endif

/* A poll that finds nothing changes nothing: it is left out. */
inline readerPoll() {
  atomic {
    memory[TAIL] > cursor ->
    tail = memory[TAIL];
    take = 1;
    do
    :: take < LIMIT && take < tail - cursor -> take++
    :: break
    od
#ifdef BUG_CHECK_BEFORE_COPY
    ; intent = memory[INTENT]
#endif
  };
  if
  :: tail - cursor <= CAPACITY -> copyRecords()
  :: else -> torn = true
  fi;
  if
  :: d_step { REACH < ANNOUNCED -> tail = 0; take = 0; torn = false }; lapped()
  :: d_step {
      REACH >= ANNOUNCED ->
      assert(!torn);
      accepted = accepted + take;
      cursor = cursor + take;
      assert(NEXT == cursor);
      tail = 0;
      take = 0
    }
  fi
}

proctype reader() {
  byte start, cursor, lost, accepted;
  byte tail, take, word, fresh;
  bool torn;
#ifdef BUG_CHECK_BEFORE_COPY
  byte intent;
#endif
  /* readerCreate */
  d_step { cursor = memory[TAIL]; start = cursor };
  do
  :: readerPoll()
  :: atomic { finished && memory[TAIL] == cursor -> break }
  od
}

init {
  byte i;
  atomic {
    run storeBuffer(PRODUCER);
    run producer();
    do
    :: i < READERS -> run reader(); i++
    :: else -> break
    od
  }
}
