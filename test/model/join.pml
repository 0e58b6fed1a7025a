/*
 * Joining a running segment by its book images: one producer with two images of one instrument, one reader
 * that polls the ring, joins, follows, is lapped, meets a Reset, and joins again. The steps are named after
 * assembly/image.ts, delta.ts, replica.ts and src/segment/join.ts. The change of version v sets level v % 2 to v, so the
 * book of any version is known: BOOK(v). A replica must hold BOOK(its version) after every record and every join, the
 * version chain must never break, and a reader that follows to the end must hold the last version.
 * No hash is compared here: the protocol alone has to be right. Records of the ring are one word; ring.pml tears them.
 * Bad case: each -DBUG_… below; spin must find every one of them.
 */
#ifndef CAPACITY
#define CAPACITY 4
#endif
#ifndef RECORDS
#define RECORDS 9
#endif
/* Image writes; the third one overwrites the first image. */
#ifndef IMAGES
#define IMAGES 3
#endif
/* Records of one event at most. */
#ifndef EVENT_RECORDS
#define EVENT_RECORDS 2
#endif
/* Records of another instrument: they set ring positions and versions apart. */
#ifndef OTHERS
#define OTHERS 1
#endif
/* Snapshots published as an image and a Reset record. */
#ifndef RESETS
#define RESETS 1
#endif

#define TAIL CAPACITY
#define INTENT (CAPACITY + 1)
#define CURRENT_IMAGE (CAPACITY + 2)
#define IMAGE(index) (CAPACITY + 3 + ((index) - 1) * IMAGE_WORDS)
#define IMAGE_WORDS 4
#define GENERATION 0
/* Version and ringSequence. */
#define HEADER 1
#define LEVELS 2
#define WORDS (CAPACITY + 3 + 2 * IMAGE_WORDS)
#define IS_GENERATION(at) ((at) == IMAGE(1) || (at) == IMAGE(2))
#define IS_ATOMIC(at) ((at) == TAIL || (at) == INTENT || (at) == CURRENT_IMAGE || IS_GENERATION(at))
#define WRITERS 1
#define PRODUCER 0
#ifndef BUFFER
#define BUFFER 12
#endif

#include "tso.pml"

/* What a record says: the version of our instrument, with RESET when the changes do not lead there; or another's. */
#define RESET 32
#define OTHER 64
#define VERSION_OF(record) ((record) % RESET)

/* Quantity of a level in the book of a version: the last change of that level. */
#define BOOK(version, level) ((version) - ((version) > 0 && (version) % 2 != (level)))

/* Everything is written and published. */
bool finished;

/* ── producer.ts, delta.ts, image.ts: the producer ── */

byte deltaPosition, deltaTail, deltaIntent, version, images, others, resets;

/* Announced before it is written; a plain store. One step, for the buffer is private. */
inline recordWrite(content) {
  atomic {
    if
    :: deltaPosition + 1 > deltaIntent ->
      deltaIntent = deltaPosition + 1;
      atomicStore(PRODUCER, INTENT, deltaIntent)
    :: else
    fi;
    d_step { push(PRODUCER, deltaPosition % CAPACITY, content); deltaPosition++ }
  }
}

/* The image that is not current, and its generation. */
inline imageChoose() {
  d_step {
    load(PRODUCER, CURRENT_IMAGE, index);
    index = (index == 1 -> 2 : 1);
    load(PRODUCER, IMAGE(index) + GENERATION, generation);
    images++
  }
}

inline imageWrite(imageVersion, ringSequence) {
#ifdef BUG_IMAGE_SWAPPED_EARLY
  atomicStore(PRODUCER, CURRENT_IMAGE, index);
#endif
  atomic {
    atomicStore(PRODUCER, IMAGE(index) + GENERATION, generation + 1);
#ifdef BUG_GENERATION_EVEN_EARLY
    atomicStore(PRODUCER, IMAGE(index) + GENERATION, generation + 2);
#endif
    d_step {
      push(PRODUCER, IMAGE(index) + HEADER, imageVersion * 16 + ringSequence);
      push(PRODUCER, IMAGE(index) + LEVELS, BOOK(version, 0));
      push(PRODUCER, IMAGE(index) + LEVELS + 1, BOOK(version, 1))
    }
  };
#ifndef BUG_GENERATION_EVEN_EARLY
  atomicStore(PRODUCER, IMAGE(index) + GENERATION, generation + 2);
#endif
  atomic {
#ifndef BUG_IMAGE_SWAPPED_EARLY
    atomicStore(PRODUCER, CURRENT_IMAGE, index);
#endif
    index = 0;
    generation = 0
  }
}

#ifdef BUG_RING_SEQUENCE_LATE
#define RING_SEQUENCE (deltaPosition + 1)
#else
#define RING_SEQUENCE deltaPosition
#endif

inline tailsPublish() {
  deltaTail = deltaPosition;
  atomicStore(PRODUCER, TAIL, deltaTail)
}

/* An event begins when no more than a quarter of the ring waits to be published: see eventEnd. */
#define MAY_BEGIN (deltaPosition < RECORDS && deltaPosition - deltaTail <= CAPACITY / 4)

proctype producer() {
  byte records, index, generation;
  do
  :: MAY_BEGIN ->
    do
    :: atomic { records < EVENT_RECORDS && deltaPosition < RECORDS -> version++; records++; recordWrite(version) }
#ifdef BUG_IMAGE_INSIDE_EVENT
    :: atomic { records == 1 && images < IMAGES -> imageChoose() };
      imageWrite(version - 1, deltaPosition - 1)
#endif
    :: atomic { records > 0 -> records = 0; break }
    od
  :: atomic { MAY_BEGIN && others < OTHERS -> others++; recordWrite(OTHER) }
  /* resetEvent: the book is replaced, image first, then the Reset record of the image's version. */
  :: atomic { MAY_BEGIN && resets < RESETS && images < IMAGES -> resets++; version++; imageChoose() };
    imageWrite(version, deltaPosition + 1);
    recordWrite(version + RESET)
  /* publish, by the host or by eventEnd; imagePatrol whenever it pleases: when an image is due is not the protocol. */
  :: atomic { deltaTail != deltaPosition -> tailsPublish() }
  :: atomic { deltaTail == deltaPosition && version > 0 && images < IMAGES -> imageChoose() };
    imageWrite(version, RING_SEQUENCE)
  :: atomic {
      deltaPosition == RECORDS && deltaTail == deltaPosition && buffers[PRODUCER].used == 0 ->
      finished = true;
      break
    }
  od
}

/* ── ring.ts, replica.ts, image.ts, join.ts: a reader ── */

/* Outcomes of readerPoll, replicaApply and of a try to join. */
#define OK 0
#define LAPPED 1
#define BUSY 2
#define NO_IMAGE 3
#define MET_RESET 4

byte cursor;          /* of the main reader */
byte held;            /* REPLICA_VERSION */
byte levels[2];       /* the replica's book */
bool following;       /* REPLICA_STATE */
bool awaited;         /* FLAG_RESET in REPLICA_FLAGS of an empty replica */
bool isDue;           /* a join is due */
byte outcome;

#define REPLICA_IS_TRUE (levels[0] == BOOK(held, 0) && levels[1] == BOOK(held, 1))

inline forget() {
  levels[0] = 0;
  levels[1] = 0;
  following = false
}

inline replicaClear() {
  forget();
  held = 0;
  awaited = false
}

/*
 * One record, in one step, inside d_step: ring.pml proves that a record is still whole when tailIntent has been read
 * after the copy, so copy and check fall together here. Sets outcome to OK or LAPPED, and record.
 */
inline readerPoll(at) {
  if
  :: at + CAPACITY < memory[INTENT] -> outcome = LAPPED
  :: else -> outcome = OK; record = memory[at % CAPACITY]; at++
  fi
}

/* Inside d_step, for records of our instrument. Sets outcome to OK or MET_RESET. */
inline replicaApply() {
  outcome = OK;
  if
  :: !following && record >= RESET -> forget(); held = VERSION_OF(record); awaited = true; outcome = MET_RESET
  :: !following && record < RESET
#ifdef BUG_NO_VERSION_SKIP
  :: following ->
#else
  :: following && VERSION_OF(record) <= held
  :: following && VERSION_OF(record) > held ->
#endif
    /* Else the chain is broken: a delta was missed. */
    assert(VERSION_OF(record) == held + 1);
    held = VERSION_OF(record);
    if
    :: record >= RESET -> forget(); awaited = true; outcome = MET_RESET
    :: else -> levels[held % 2] = held; assert(REPLICA_IS_TRUE)
    fi
  fi
}

/*
 * A try of imageCopy; imageLoad behind it. The copied levels are kept as one bit: they are those of the copied version.
 * A try that fails changes nothing. Sets outcome to OK, NO_IMAGE or BUSY, and sequence.
 */
inline imageLoad() {
  index = memory[CURRENT_IMAGE];
  if
  :: atomic { index == 0 -> outcome = NO_IMAGE }
  :: else ->
#ifndef BUG_NO_GENERATION_CHECK
    generation = memory[IMAGE(index) + GENERATION];
#endif
    if
    :: atomic { generation % 2 == 1 -> outcome = BUSY }
    :: else ->
      d_step {
        copiedVersion = memory[IMAGE(index) + HEADER] / 16;
        sequence = memory[IMAGE(index) + HEADER] % 16
      };
      isTorn = memory[IMAGE(index) + LEVELS] != BOOK(copiedVersion, 0);
      isTorn = isTorn || memory[IMAGE(index) + LEVELS + 1] != BOOK(copiedVersion, 1);
      d_step {
        if
#if !defined(BUG_NO_GENERATION_CHECK) && !defined(BUG_GENERATION_NOT_REREAD)
        :: memory[IMAGE(index) + GENERATION] != generation -> outcome = BUSY
#endif
        :: sequence + CAPACITY < memory[INTENT] -> outcome = LAPPED
        :: else -> outcome = (awaited && copiedVersion < held -> BUSY : OK)
        fi;
        if
        :: outcome == OK ->
          /* An image that was never written carries no instrument id: corrupt. */
          assert(copiedVersion > 0);
          assert(!isTorn);
          levels[0] = BOOK(copiedVersion, 0);
          levels[1] = BOOK(copiedVersion, 1);
          held = copiedVersion;
          following = true;
          awaited = false
        :: else -> sequence = 0
        fi;
        copiedVersion = 0;
        isTorn = false
      }
    fi
  fi;
  d_step { index = 0; generation = 0 }
}

#ifdef BUG_JOIN_AT_TAIL
#define JOIN_SEQUENCE sequence = memory[TAIL]
#else
#define JOIN_SEQUENCE skip
#endif

/* Reads the ring from the image's position to where the main reader stands. Sets outcome. */
inline catchUp() {
  do
  :: atomic {
      sequence < cursor ->
      d_step {
        readerPoll(sequence);
        if
        :: outcome == OK && record != OTHER -> replicaApply()
        :: else
        fi;
        record = 0;
#ifdef BUG_LAP_IGNORED
        if
        :: outcome == LAPPED -> sequence = memory[TAIL] - CAPACITY / 4; outcome = OK
        :: else
        fi
#endif
      };
      if
      :: outcome == OK
      :: else -> break
      fi
    }
  :: atomic { sequence >= cursor -> outcome = OK; break }
  od
}

/* ReplicaJoiner.join; its tries are bounded, here each may be the last. */
inline join() {
  isQuiet = finished;
  do
  :: imageLoad();
    if
    :: outcome == NO_IMAGE && memory[INTENT] > CAPACITY -> break
    :: atomic { outcome == NO_IMAGE && memory[INTENT] <= CAPACITY ->
        /* replicaBegin: without an image the whole history will do. */
        d_step { replicaClear(); following = true; sequence = 0 }
      };
      catchUp()
    :: atomic { outcome == OK -> JOIN_SEQUENCE };
      catchUp()
    :: else
    fi;
    atomic {
      sequence = 0;
      if
      :: outcome == OK -> isDue = false; break
      :: else ->
        /* Where nothing moves, only a lap stands in the way. */
        assert(outcome == LAPPED || !isQuiet);
        if
        :: true
        :: break
        fi
      fi
    }
  od;
  atomic {
    if
    :: outcome != OK -> replicaClear()
    :: else
    fi;
    outcome = OK;
    isQuiet = false
  }
}

/* A turn of the main reader. Positions below capacity / 4 cannot be lapped. */
inline poll() {
  d_step {
    readerPoll(cursor);
    if
    :: outcome == LAPPED ->
      replicaClear();
      isDue = true;
      cursor = (memory[TAIL] - CAPACITY / 4 < cursor -> cursor : memory[TAIL] - CAPACITY / 4)
    :: outcome == OK && record != OTHER ->
      replicaApply();
      isDue = isDue || outcome == MET_RESET
    :: else
    fi;
    record = 0;
    outcome = OK
  }
}

proctype reader() {
  byte index, generation, copiedVersion, sequence, record;
  bool isTorn, isQuiet;
  /* readerCreate */
  d_step { cursor = memory[TAIL]; isDue = true };
  do
  :: atomic { memory[TAIL] > cursor -> poll() }
  :: isDue -> join()
  :: atomic {
      finished && memory[TAIL] == cursor && !isDue ->
      assert(following && held == version && REPLICA_IS_TRUE);
      break
    }
  :: atomic { finished && isDue -> break }
  od
}

init {
  atomic {
    run storeBuffer(PRODUCER);
    run producer();
    run reader()
  }
}
