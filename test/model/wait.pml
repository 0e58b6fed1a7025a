/*
 * Sleeping and waking: a producer that publishes deltas and trades and wakes who said it would sleep, and
 * READERS loops that sleep on the low word of the delta tail. The steps are named after assembly/ring.ts and
 * src/gateway/pump.ts; their 100 ms timeout is left out, for it would hide every missed wake-up. Here readers store too,
 * so every process has a store buffer, and here it matters that an atomic store drains it: the producer stores
 * a tail and loads `waiting`, a reader stores `waiting` and loads the tails. A reader that sleeps while records wait and
 * nobody will wake it is an invalid end state.
 * Bad case: each -DBUG_… below; spin must find every one of them.
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef PUBLISHES
#define PUBLISHES 2
#endif
/* Turns that something else asks for, e.g. a client. */
#ifndef CALLS
#define CALLS 1
#endif

#define DELTA_TAIL 0
#define TRADE_TAIL 1
#define WAITING 2
#define WORDS 3
#define IS_ATOMIC(at) true
#define PRODUCER READERS
#define WRITERS (READERS + 1)
#define BUFFER 6

#include "tso.pml"

bool finished;
/* Atomics.waitAsync: the promise is pending; it is fulfilled. */
bool isRegistered[READERS], isNotified[READERS];

/* ── ring.ts: the producer ── */

#ifdef BUG_TAIL_NOT_DRAINED
#define tailStore(at) d_step { push(PRODUCER, at, count[at]) }
#else
#define tailStore(at) atomicStore(PRODUCER, at, count[at])
#endif

inline tailsPublish() {
  tailStore(DELTA_TAIL);
  if
  :: atomic { hasTrades -> hasTrades = false; tailStore(TRADE_TAIL) }
  :: !hasTrades
  fi
}

inline notify() {
  d_step {
    reader = 0;
    do
    :: reader < READERS ->
      if
      :: isRegistered[reader] -> isRegistered[reader] = false; isNotified[reader] = true
      :: else
      fi;
      reader++
    :: else -> reader = 0; break
    od
  }
}

/* All sleep on the delta tail; a notify on the trade tail finds nobody. */
inline wake() {
  d_step { load(PRODUCER, WAITING, isWaiting) };
  if
  :: atomic { isWaiting -> isWaiting = false; atomicStore(PRODUCER, WAITING, 0) };
    notify()
  :: !isWaiting
  fi
}

inline publish() {
  atomic {
    published < PUBLISHES ->
    published++;
    if
    :: count[DELTA_TAIL]++
    :: count[TRADE_TAIL]++; hasTrades = true
    :: count[DELTA_TAIL]++; count[TRADE_TAIL]++; hasTrades = true
    fi
  };
  tailsPublish();
  wake()
}

proctype producer() {
  byte count[2], published, reader;
  bool hasTrades, isWaiting;
  do
  :: publish()
  :: atomic { published == PUBLISHES && buffers[PRODUCER].used == 0 -> finished = true; break }
  od
}

/* ── pump.ts: a reader ── */

/* SegmentSource.poll: everything, for batches are ring.pml's matter. */
inline poll() {
  d_step { load(me, DELTA_TAIL, cursor[DELTA_TAIL]) };
  d_step { load(me, TRADE_TAIL, cursor[TRADE_TAIL]) }
}

/* SegmentSource.isBehind. */
inline look() {
  d_step { load(me, DELTA_TAIL, seen); isBehind = seen != cursor[DELTA_TAIL] };
  d_step { load(me, TRADE_TAIL, seen); isBehind = isBehind || seen != cursor[TRADE_TAIL]; seen = 0 }
}

inline announce() {
#ifdef BUG_WAITING_NOT_DRAINED
  d_step { push(me, WAITING, 1) }
#else
  atomicStore(me, WAITING, 1)
#endif
}

/* Compares and registers in one step, behind a fence of its own. */
inline waitAsync() {
  atomic {
    buffers[me].used == 0 ->
    if
    :: memory[DELTA_TAIL] == tail -> isRegistered[me] = true; isSleeping = true
    :: else -> isBehind = true
    fi;
    tail = 0
  }
}

/*
 * Registers, then says that it sleeps, then looks: trades alone do not move the word waited on. In the other order the
 * producer may take the word back while nobody is registered yet, and then knows nothing of the sleeper.
 */
inline sleepOn() {
  d_step { load(me, DELTA_TAIL, tail) };
#ifdef BUG_ANNOUNCED_FIRST
  announce();
  look();
  if
  :: atomic { isBehind -> tail = 0 }
  :: !isBehind -> waitAsync(); look()
  fi
#else
  waitAsync();
  if
  :: isBehind
  :: !isBehind ->
    announce();
#ifndef BUG_NO_LOOK
    look()
#endif
  fi
#endif
}

/* A source whose promise is still pending is left alone. */
inline sleep() {
  if
  :: !isSleeping -> sleepOn()
  :: isSleeping
  fi
}

inline turn() {
  poll();
  sleep();
  atomic { isScheduled = isBehind; isBehind = false }
}

proctype reader(byte me) {
  byte cursor[2], tail, seen, calls;
  bool isBehind, isSleeping, isScheduled;
  isScheduled = true;
  do
  :: atomic { isScheduled -> isScheduled = false }; turn()
  :: atomic { isNotified[me] -> isNotified[me] = false; isSleeping = false; isScheduled = true }
  :: atomic { !isScheduled && calls < CALLS -> calls++; isScheduled = true }
  :: atomic {
      finished && !isScheduled && !isNotified[me] &&
      memory[DELTA_TAIL] == cursor[DELTA_TAIL] && memory[TRADE_TAIL] == cursor[TRADE_TAIL] -> break
    }
  od
}

init {
  byte i;
  atomic {
    run producer();
    run storeBuffer(PRODUCER);
    do
    :: i < READERS -> run storeBuffer(i); run reader(i); i++
    :: else -> break
    od
  }
}
