/*
 * Sleeping and waking across processes: a producer that publishes deltas and trades and rings for who said it would
 * sleep, and READERS loops that sleep on the word `waiting` of the readers file itself, by futex. The steps are named after
 * src/mapping/bell.ts and common_sleep.ts; the 100 ms timeout is left out, for it would hide every missed wake-up. The word
 * is a ticket: odd while somebody sleeps or is about to; the producer adds one to an odd word and wakes. A reader that
 * sleeps while records wait and nobody will wake it is an invalid end state.
 * Bad case: each -DBUG_… below; spin must find every one of them.
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef PUBLISHES
#define PUBLISHES 2
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
/* The thread of the pool sleeps in the kernel; it came back. */
bool isAsleep[READERS], isAwake[READERS];

/* ── ring.ts and bell.ts: the producer ── */

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

/* FUTEX_WAKE: everybody who sleeps on the word. */
inline wake() {
  d_step {
    reader = 0;
    do
    :: reader < READERS ->
      if
      :: isAsleep[reader] -> isAsleep[reader] = false; isAwake[reader] = true
      :: else
      fi;
      reader++
    :: else -> reader = 0; break
    od
  }
}

/* Atomics.add waits until the buffer is empty, as every locked instruction does. */
inline takeBack() {
#ifdef BUG_TICKET_REUSED
  atomicStore(PRODUCER, WAITING, 0)
#else
  d_step { buffers[PRODUCER].used == 0 -> memory[WAITING]++ }
#endif
}

inline ring() {
  d_step { load(PRODUCER, WAITING, word); isOdd = word % 2; word = 0 };
  if
  :: atomic { isOdd -> isOdd = false; takeBack() };
    wake()
  :: !isOdd
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
  ring()
}

proctype producer() {
  byte count[2], published, reader, word;
  bool hasTrades, isOdd;
  do
  :: publish()
  :: atomic { published == PUBLISHES && buffers[PRODUCER].used == 0 -> finished = true; break }
  od
}

/* ── segment_reader.ts and common_sleep.ts: a reader ── */

/* Everything, for batches are ring.pml's matter. */
inline poll() {
  d_step { load(me, DELTA_TAIL, cursor[DELTA_TAIL]) };
  d_step { load(me, TRADE_TAIL, cursor[TRADE_TAIL]) }
}

inline isBehind() {
  d_step { load(me, DELTA_TAIL, seen); mustGoOn = seen != cursor[DELTA_TAIL] };
  d_step { load(me, TRADE_TAIL, seen); mustGoOn = mustGoOn || seen != cursor[TRADE_TAIL]; seen = 0 }
}

/* Atomics.or. */
inline announce() {
  d_step { buffers[me].used == 0 -> memory[WAITING] = memory[WAITING] | 1; ticket = memory[WAITING] }
}

/* FUTEX_WAIT: compares and lies down in one step. */
inline sleep() {
  d_step {
    if
    :: memory[WAITING] == ticket -> isAsleep[me] = true
    :: else -> mustGoOn = true
    fi;
    ticket = 0
  }
}

inline rest() {
  announce();
#ifndef BUG_NO_LOOK
  isBehind();
#endif
  if
  :: atomic { mustGoOn -> ticket = 0 }
  :: !mustGoOn -> sleep()
  fi
}

proctype reader(byte me) {
  byte cursor[2], seen, ticket;
  bool mustGoOn;
  mustGoOn = true;
  do
  :: atomic { mustGoOn -> mustGoOn = false }; poll(); rest()
  :: atomic { isAwake[me] -> isAwake[me] = false; mustGoOn = true }
  :: atomic {
      finished && !mustGoOn && !isAwake[me] &&
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
