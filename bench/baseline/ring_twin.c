/*
 * The ring as a careful C program writes it, on the very segment file that the kernel writes: the same records of 256
 * bytes, the same protocol (tailIntent, records, tail, a look for sleepers; the reader copies first and looks at
 * tailIntent afterwards), every byte of every record verified by its reader. Built twice: as a library that the benchmark
 * calls, and as the program on the other side of the ring. Offsets come from the layout, by -D.
 * Besides it the machine's own ping: one word on a cache line each way, and a Unix socket each way.
 * Bad case: an other side that died; every wait is bounded and says so.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 32, PUBLISHED_AT = 2, BATCH = 32 };
enum { IS_LATE = -1 };
static const uint64_t SALT = 0x9e3779b97f4a7c15u;

/* A segment, as far as its delta ring goes. */
typedef struct {
  _Atomic uint64_t *intent;
  _Atomic uint64_t *tail;
  _Atomic uint32_t *waiting;
  uint64_t *records;
  uint64_t capacity;
} Ring;

/* A peer's page: that it lives, what it verified, what it found wrong; a word each way. */
typedef struct {
  _Alignas(64) _Atomic uint32_t beat;
  _Alignas(64) _Atomic uint32_t verified;
  _Alignas(64) _Atomic uint32_t errors;
  _Alignas(64) _Atomic uint64_t ping;
  _Alignas(64) _Atomic uint64_t pong;
} Page;

static char *map_whole(const char *path, int is_writable) {
  struct stat status;
  int fd = open(path, is_writable ? O_RDWR : O_RDONLY);
  if (fd < 0 || fstat(fd, &status) != 0) return NULL;
  int access = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
  char *at = mmap(NULL, (size_t)status.st_size, access, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  return at == MAP_FAILED ? NULL : at;
}

/* `readers` is the readers file of a producer; a reader has none. */
void *ring_open(const char *segment, const char *readers) {
  char *header = map_whole(segment, readers != NULL);
  char *announced = readers == NULL ? NULL : map_whole(readers, 1);
  Ring *ring = malloc(sizeof *ring);
  if (header == NULL || ring == NULL || (readers != NULL && announced == NULL)) return NULL;
  ring->intent = (_Atomic uint64_t *)(header + DELTA_TAIL_INTENT);
  ring->tail = (_Atomic uint64_t *)(header + DELTA_TAIL);
  ring->waiting = announced == NULL ? NULL : (_Atomic uint32_t *)(announced + READERS_WAITING);
  ring->records = (uint64_t *)(header + *(uint64_t *)(header + DELTA_RING_OFFSET));
  ring->capacity = *(uint32_t *)(header + DELTA_CAPACITY);
  return ring;
}

void *page_open(const char *path) {
  return map_whole(path, 1);
}

static uint64_t *slot(const Ring *ring, uint64_t position) {
  return ring->records + (position & (ring->capacity - 1)) * WORDS;
}

static uint64_t word_of(uint64_t version, int word) {
  if (word == PUBLISHED_AT) return 0;
  if (word == WORDS - 1) return version ^ SALT;
  return word < 4 ? version : version + (uint64_t)word;
}

static void write_record(uint64_t *record, uint64_t version) {
  record[0] = version;
  record[1] = version;
  record[PUBLISHED_AT] = 0;
  record[3] = version;
  for (int word = 4; word < WORDS - 1; word++) record[word] = version + (uint64_t)word;
  record[WORDS - 1] = version ^ SALT;
}

static int is_whole(const uint64_t *record, uint64_t version) {
  uint64_t differ = 0;
  for (int word = 0; word < WORDS; word++) differ |= record[word] ^ word_of(version, word);
  return differ == 0;
}

static void wake(const Ring *ring) {
  if ((atomic_load(ring->waiting) & 1) == 0) return;
  atomic_fetch_add(ring->waiting, 1);
  syscall(SYS_futex, ring->waiting, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void write_seq_cst(const Ring *ring, int count, int batch) {
  uint64_t position = atomic_load(ring->tail), intent = atomic_load(ring->intent);
  for (uint64_t end = position + (uint64_t)count; position < end; position += (uint64_t)batch) {
    uint64_t want = position + (uint64_t)batch;
    if (want > intent) atomic_store(ring->intent, intent = want + (ring->capacity >> AHEAD_SHIFT));
    for (int i = 0; i < batch; i++) write_record(slot(ring, position + (uint64_t)i), position + (uint64_t)i + 1);
    atomic_store(ring->tail, want);
    wake(ring);
  }
}

/* For readers that spin: without a fence behind the tail nobody can be woken for certain. */
static void write_release(const Ring *ring, int count, int batch) {
  uint64_t position = atomic_load(ring->tail), intent = atomic_load(ring->intent);
  for (uint64_t end = position + (uint64_t)count; position < end; position += (uint64_t)batch) {
    uint64_t want = position + (uint64_t)batch;
    if (want > intent) {
      atomic_store_explicit(ring->intent, intent = want + (ring->capacity >> AHEAD_SHIFT), memory_order_relaxed);
      atomic_thread_fence(memory_order_release);
    }
    for (int i = 0; i < batch; i++) write_record(slot(ring, position + (uint64_t)i), position + (uint64_t)i + 1);
    atomic_store_explicit(ring->tail, want, memory_order_release);
  }
}

/* Writes and publishes `count` records, a multiple of `batch`. */
int ring_write(const void *at, int count, int batch, int is_release) {
  if (is_release) {
    write_release(at, count, batch);
  } else {
    write_seq_cst(at, count, batch);
  }
  return count;
}

static int64_t now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Round trips of one word. */
int ping_run(void *at, int count) {
  Page *page = at;
  uint64_t word = atomic_load(&page->ping);
  int64_t until = now_ms() + 10000;
  for (int i = 0; i < count; i++) {
    atomic_store_explicit(&page->ping, ++word, memory_order_release);
    for (uint32_t spins = 0; atomic_load_explicit(&page->pong, memory_order_acquire) != word; spins++)
      if ((spins & 0xfffff) == 0xfffff && now_ms() > until) return IS_LATE;
  }
  return count;
}

static int unix_socket(const char *path, struct sockaddr_un *name) {
  memset(name, 0, sizeof *name);
  name->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof name->sun_path) return -1;
  strcpy(name->sun_path, path);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int socket_listen(const char *path) {
  struct sockaddr_un name;
  int fd = unix_socket(path, &name);
  return fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1) != 0 ? -1 : fd;
}

int socket_accept(int fd, int ms) {
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  return poll(&waiting, 1, ms) == 1 ? accept(fd, NULL, NULL) : -1;
}

static int read_whole(int fd, char *to, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    ssize_t more = read(fd, to + got, bytes - got);
    if (more <= 0) return 0;
    got += (size_t)more;
  }
  return 1;
}

/* Round trips of a record. Returns how many came back as they were sent. */
int socket_run(int fd, int count) {
  uint64_t sent[WORDS], got[WORDS];
  int good = 0;
  for (int i = 0; i < count; i++) {
    write_record(sent, (uint64_t)i + 1);
    if (write(fd, sent, sizeof sent) != sizeof sent || !read_whole(fd, (char *)got, sizeof got)) return good;
    good += is_whole(got, (uint64_t)i + 1);
  }
  return good;
}

/* Reads and verifies from the tail on. */
static void follow(const Ring *ring, Page *page) {
  uint64_t copies[BATCH][WORDS];
  uint64_t cursor = atomic_load(ring->tail);
  for (uint32_t idle = 0;;) {
    uint64_t tail = atomic_load_explicit(ring->tail, memory_order_acquire);
    uint64_t take = tail - cursor;
    if (take == 0) {
      if ((++idle & 0xff) == 0) atomic_fetch_add(&page->beat, 1);
      __builtin_ia32_pause();
      continue;
    }
    if (take > BATCH) take = BATCH;
    for (uint64_t i = 0; i < take; i++) memcpy(copies[i], slot(ring, cursor + i), sizeof copies[i]);
    atomic_thread_fence(memory_order_acquire);
    uint32_t wrong = cursor + ring->capacity < atomic_load_explicit(ring->intent, memory_order_acquire);
    for (uint64_t i = 0; i < take; i++) wrong += !is_whole(copies[i], cursor + i + 1);
    if (wrong != 0) atomic_fetch_add(&page->errors, wrong);
    cursor += take;
    atomic_store_explicit(&page->verified, (uint32_t)cursor, memory_order_release);
  }
}

static void echo_words(Page *page) {
  for (uint64_t last = atomic_load(&page->pong), idle = 0;;) {
    uint64_t word = atomic_load_explicit(&page->ping, memory_order_acquire);
    if (word != last) {
      last = word;
      atomic_store_explicit(&page->pong, word, memory_order_release);
    } else if ((++idle & 0xfff) == 0) {
      atomic_fetch_add_explicit(&page->beat, 1, memory_order_relaxed);
    }
  }
}

static int echo_socket(const char *path) {
  struct sockaddr_un name;
  char record[WORDS * 8];
  int fd = unix_socket(path, &name);
  if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) != 0) return 1;
  while (read_whole(fd, record, sizeof record))
    if (write(fd, record, sizeof record) != sizeof record) return 1;
  return 0;
}

/* socket PATH | ping PAGE | read PAGE SEGMENT */
int main(int count, char **words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count < 3) return 2;
  if (strcmp(words[1], "socket") == 0) return echo_socket(words[2]);
  Page *page = page_open(words[2]);
  if (page == NULL) return 1;
  if (strcmp(words[1], "ping") == 0) echo_words(page);
  Ring *ring = count == 4 ? ring_open(words[3], NULL) : NULL;
  if (ring == NULL) return 1;
  follow(ring, page);
}
