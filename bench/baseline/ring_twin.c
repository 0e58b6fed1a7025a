/*
 * The ring as a careful C program writes it: 65,536 records of 256 bytes in a shared file, the same protocol (tailIntent,
 * records, tail; the reader copies first and looks at tailIntent afterwards), every record verified by its reader. Built
 * twice: as a library that the benchmark calls, and as the program on the other side of the ring.
 * Besides it the machine's own ping: one word on a cache line each way, and a Unix socket each way.
 * Bad case: an other side that died; every wait is bounded and says so.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CAPACITY = 65536, WORDS = 32, HEADER_BYTES = 4096, BATCH = 32 };
enum { IS_LATE = -1 };
static const uint64_t SALT = 0x9e3779b97f4a7c15u;

typedef struct {
  _Alignas(64) _Atomic uint64_t intent;
  _Alignas(64) _Atomic uint64_t tail;
  /* Of the reader: that it lives, what it verified, what it found wrong. */
  _Alignas(64) _Atomic uint32_t beat;
  _Alignas(64) _Atomic uint64_t cursor;
  _Alignas(64) _Atomic uint32_t errors;
  _Alignas(64) _Atomic uint64_t ping;
  _Alignas(64) _Atomic uint64_t pong;
} Header;

static uint64_t *slot(Header *ring, uint64_t position) {
  return (uint64_t *)((char *)ring + HEADER_BYTES) + (position & (CAPACITY - 1)) * WORDS;
}

static int64_t now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

void *ring_open(const char *path, int create) {
  size_t bytes = HEADER_BYTES + (size_t)CAPACITY * WORDS * 8;
  int fd = open(path, create ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
  if (fd < 0 || (create && posix_fallocate(fd, 0, (off_t)bytes) != 0)) return NULL;
  void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  return ring == MAP_FAILED ? NULL : ring;
}

static void write_record(Header *ring, uint64_t position) {
  uint64_t *record = slot(ring, position);
  uint64_t version = position + 1;
  record[0] = version;
  record[1] = version;
  record[2] = version;
  record[3] = version;
  for (int i = 4; i < WORDS - 1; i++) record[i] = version + (uint64_t)i;
  record[WORDS - 1] = version ^ SALT;
}

static void write_seq_cst(Header *ring, int count, int batch) {
  uint64_t position = atomic_load(&ring->tail);
  for (uint64_t end = position + (uint64_t)count; position < end; position += (uint64_t)batch) {
    atomic_store(&ring->intent, position + (uint64_t)batch);
    for (int i = 0; i < batch; i++) write_record(ring, position + (uint64_t)i);
    atomic_store(&ring->tail, position + (uint64_t)batch);
  }
}

static void write_release(Header *ring, int count, int batch) {
  uint64_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  for (uint64_t end = position + (uint64_t)count; position < end; position += (uint64_t)batch) {
    atomic_store_explicit(&ring->intent, position + (uint64_t)batch, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (int i = 0; i < batch; i++) write_record(ring, position + (uint64_t)i);
    atomic_store_explicit(&ring->tail, position + (uint64_t)batch, memory_order_release);
  }
}

/* Writes and publishes `count` records, a multiple of `batch`. */
int ring_write(void *at, int count, int batch, int is_release) {
  if (is_release) {
    write_release(at, count, batch);
  } else {
    write_seq_cst(at, count, batch);
  }
  return count;
}

/* Waits until the reader verified everything. Returns what it found wrong. */
int ring_wait(void *at, int ms) {
  Header *ring = at;
  int64_t until = now_ms() + ms;
  uint64_t tail = atomic_load(&ring->tail);
  for (uint32_t spins = 0; atomic_load(&ring->cursor) != tail; spins++)
    if ((spins & 0xffff) == 0xffff && now_ms() > until) return IS_LATE;
  return (int)atomic_load(&ring->errors);
}

/* Waits for a sign of life of the other side. */
int ring_awake(void *at, int ms) {
  Header *ring = at;
  int64_t until = now_ms() + ms;
  uint32_t beat = atomic_load(&ring->beat);
  for (uint32_t spins = 0; atomic_load(&ring->beat) == beat; spins++)
    if ((spins & 0xffff) == 0xffff && now_ms() > until) return IS_LATE;
  return 0;
}

/* Round trips of one word. */
int ping_run(void *at, int count) {
  Header *ring = at;
  uint64_t word = atomic_load(&ring->ping);
  int64_t until = now_ms() + 10000;
  for (int i = 0; i < count; i++) {
    atomic_store_explicit(&ring->ping, ++word, memory_order_release);
    for (uint32_t spins = 0; atomic_load_explicit(&ring->pong, memory_order_acquire) != word; spins++)
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
  uint64_t sent[WORDS] = {0}, got[WORDS];
  int good = 0;
  for (int i = 0; i < count; i++) {
    sent[0] = (uint64_t)i + 1;
    sent[WORDS - 1] = sent[0] ^ SALT;
    if (write(fd, sent, sizeof sent) != sizeof sent || !read_whole(fd, (char *)got, sizeof got)) return good;
    good += memcmp(sent, got, sizeof sent) == 0;
  }
  return good;
}

static void follow(Header *ring) {
  uint64_t copies[BATCH][WORDS];
  uint64_t cursor = atomic_load(&ring->tail);
  for (uint32_t idle = 0;;) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint64_t take = tail - cursor;
    if (take == 0) {
      if ((++idle & 0xff) == 0) atomic_fetch_add(&ring->beat, 1);
      __builtin_ia32_pause();
      continue;
    }
    if (take > BATCH) take = BATCH;
    for (uint64_t i = 0; i < take; i++) memcpy(copies[i], slot(ring, cursor + i), WORDS * 8);
    atomic_thread_fence(memory_order_acquire);
    uint32_t wrong = cursor + CAPACITY < atomic_load_explicit(&ring->intent, memory_order_acquire);
    for (uint64_t i = 0; i < take; i++)
      wrong += copies[i][3] != cursor + i + 1 || copies[i][WORDS - 1] != ((cursor + i + 1) ^ SALT);
    if (wrong != 0) atomic_fetch_add(&ring->errors, wrong);
    cursor += take;
    atomic_store_explicit(&ring->cursor, cursor, memory_order_release);
  }
}

static void echo_words(Header *ring) {
  for (uint64_t last = atomic_load(&ring->pong), idle = 0;;) {
    uint64_t word = atomic_load_explicit(&ring->ping, memory_order_acquire);
    if (word != last) {
      last = word;
      atomic_store_explicit(&ring->pong, word, memory_order_release);
    } else if ((++idle & 0xfff) == 0) {
      atomic_fetch_add_explicit(&ring->beat, 1, memory_order_relaxed);
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

int main(int count, char **words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count != 3) return 2;
  if (strcmp(words[1], "socket") == 0) return echo_socket(words[2]);
  Header *ring = ring_open(words[2], 0);
  if (ring == NULL) return 1;
  if (strcmp(words[1], "read") == 0) follow(ring);
  if (strcmp(words[1], "ping") == 0) echo_words(ring);
  return 2;
}
