/*
 * x86-TSO. A plain store goes into its writer's store buffer, first in, first out; a process of its own moves the oldest
 * entry to memory at any later time. An atomic store (xchg) waits until its writer's buffer is empty and goes to memory at
 * once. A load takes the youngest entry of its own buffer, else memory; loads of one thread happen in program order.
 * Several plain stores in a row are pushed in one step: nobody else sees a buffer, so nothing is lost by that.
 * Bad case: a buffer too short would hide stores that come late; push asserts that there is always room.
 *
 * The includer defines WORDS, WRITERS, BUFFER (entries) and IS_ATOMIC(address).
 */
typedef StoreBuffer {
  byte used;
  byte address[BUFFER];
  byte value[BUFFER]
};

byte memory[WORDS];
StoreBuffer buffers[WRITERS];

/* Only used inside one step; 0 between steps. */
byte entry;

/* A plain store. Only inside d_step. */
inline push(writer, at, what) {
  assert(buffers[writer].used < BUFFER);
  buffers[writer].address[buffers[writer].used] = at;
  buffers[writer].value[buffers[writer].used] = what;
  buffers[writer].used++
}

/* A load by a thread that also stores. Only inside d_step. */
inline load(writer, at, result) {
  result = memory[at];
  entry = 0;
  do
  :: entry < buffers[writer].used ->
    if
    :: buffers[writer].address[entry] == (at) -> result = buffers[writer].value[entry]
    :: else
    fi;
    entry++
  :: else -> entry = 0; break
  od
}

/* Moves one entry to memory. Only inside d_step. */
inline commit(writer, first) {
  memory[buffers[writer].address[first]] = buffers[writer].value[first];
  entry = first;
  do
  :: entry + 1 < buffers[writer].used ->
    buffers[writer].address[entry] = buffers[writer].address[entry + 1];
    buffers[writer].value[entry] = buffers[writer].value[entry + 1];
    entry++
  :: else -> break
  od;
  buffers[writer].address[entry] = 0;
  buffers[writer].value[entry] = 0;
  entry = 0;
  buffers[writer].used--
}

#ifndef BUG_STORES_REORDERED

inline atomicStore(writer, at, what) {
  d_step { buffers[writer].used == 0 -> memory[at] = what }
}

proctype storeBuffer(byte writer) {
end:
  do
  :: d_step { buffers[writer].used > 0 -> commit(writer, 0) }
  od
}

#else

/* Not x64: an atomic store only waits for the stores before it; plain stores after it may overtake it. */
inline atomicStore(writer, at, what) {
  d_step { buffers[writer].used < 4 -> push(writer, at, what) }
}

proctype storeBuffer(byte writer) {
  byte chosen, earlier;
  bool mayGo;
end:
  do
  :: atomic {
    buffers[writer].used > 0 ->
    chosen = 0;
    do
    :: chosen + 1 < buffers[writer].used -> chosen++
    :: break
    od;
    d_step {
      mayGo = chosen == 0 || !IS_ATOMIC(buffers[writer].address[chosen]);
      earlier = 0;
      do
      :: earlier < chosen ->
        mayGo = mayGo && buffers[writer].address[earlier] != buffers[writer].address[chosen];
        earlier++
      :: else -> break
      od;
      if
      :: mayGo -> commit(writer, chosen)
      :: else
      fi;
      chosen = 0;
      earlier = 0;
      mayGo = false
    }
  }
  od
}

#endif
