// load: posts one body over kept connections for some seconds, each connection one request at a time.
//
//   load PORT PATH BODY_FILE CONNECTIONS SECONDS TOKENS_FILE SAMPLE_FILE OTHER_FILE [HEADER]
//
// Each request has the next of the tokens (one a line) in its Authorization header; an empty file means none;
// HEADER is one more header of each. The first answer is written to SAMPLE_FILE; every
// other one is compared with it byte by byte, and the last that differs is written to OTHER_FILE for whoever knows
// JSON to judge. Prints one JSON object: counts, and latencies in microseconds.
// Single thread, epoll, loopback only.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  int fd;
  uint64_t sent_at;
  char *in;
  size_t length, capacity;
  char *out;
  size_t out_length, out_offset;
} Connection;

static int epoll_fd;
static char **tokens;
static const char *header = "";
static size_t token_count, longest_token;
static struct sockaddr_in address = {.sin_family = AF_INET};
static const char *path;
static char *body;
static size_t body_length;
static uint64_t numbered, answers, refused, broken, different, bytes;
static uint32_t *latencies;
static size_t latency_count, latency_capacity;
static char *sample, *other;
static size_t sample_length, other_length;

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static char *copy(const char *from, size_t length) {
  char *to = malloc(length + 1);
  memcpy(to, from, length);
  to[length] = 0;
  return to;
}

static char *read_file(const char *name, size_t *length) {
  FILE *file = fopen(name, "rb");
  if (!file) {
    perror(name);
    exit(1);
  }
  char *text = malloc(1 << 20);
  *length = fread(text, 1, 1 << 20, file);
  fclose(file);
  return text;
}

static void write_file(const char *name, const char *text, size_t length) {
  FILE *file = fopen(name, "wb");
  if (!file) {
    perror(name);
    exit(1);
  }
  fwrite(text, 1, length, file);
  fclose(file);
}

static void wait_for(Connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void flush(Connection *c) {
  while (c->out_offset < c->out_length) {
    ssize_t sent = send(c->fd, c->out + c->out_offset, c->out_length - c->out_offset, MSG_NOSIGNAL);
    if (sent < 0) {
      wait_for(c, EPOLLIN | EPOLLOUT);
      return;
    }
    c->out_offset += sent;
  }
  wait_for(c, EPOLLIN);
}

static void post(Connection *c) {
  const char *before = "", *token = "", *after = "";
  if (token_count) {
    before = "authorization: Bearer ";
    token = tokens[numbered++ % token_count];
    after = "\r\n";
  }
  c->out_length = sprintf(
      c->out,
      "POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n%s%s%s%s%scontent-length: %zu\r\n\r\n", path,
      before, token, after, header, *header ? "\r\n" : "", body_length);
  memcpy(c->out + c->out_length, body, body_length);
  c->out_length += body_length;
  c->out_offset = c->length = 0;
  c->sent_at = now_us();
  flush(c);
}

static int open_connection(Connection *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void *)&address, sizeof address)) {
    close(c->fd);
    return -1;
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
  return 0;
}

static void reopen(Connection *c) {
  close(c->fd);
  if (open_connection(c)) {
    perror("connect");
    exit(1);
  }
  post(c);
}

static void note(const char *answer, size_t length, int status, uint64_t now, uint64_t sent_at) {
  answers++;
  bytes += length;
  if (latency_count == latency_capacity)
    latencies = realloc(latencies, (latency_capacity *= 2) * sizeof *latencies);
  latencies[latency_count++] = now - sent_at;
  if (status != 200) {
    refused++;
    return;
  }
  if (!sample) {
    sample = copy(answer, length);
    sample_length = length;
  } else if (length != sample_length || memcmp(answer, sample, length)) {
    different++;
    free(other);
    other = copy(answer, length);
    other_length = length;
  }
}

// Joins the chunks of a body in place. Returns its length, or -1 while the last chunk is missing.
static ssize_t join_chunks(const char *from, size_t available, char *to) {
  size_t at = 0, joined = 0;
  for (;;) {
    const char *line_end = memmem(from + at, available - at, "\r\n", 2);
    if (!line_end)
      return -1;
    size_t size = strtoul(from + at, 0, 16);
    at = line_end + 2 - from;
    if (at + size + 2 > available)
      return -1;
    memmove(to + joined, from + at, size);
    joined += size;
    at += size + 2;
    if (!size)
      return joined;
  }
}

// Takes what has come; posts the next request once the answer is whole.
static void read_answer(Connection *c) {
  if (c->capacity - c->length < 65536)
    c->in = realloc(c->in, c->capacity *= 2);
  ssize_t got = recv(c->fd, c->in + c->length, c->capacity - c->length - 1, 0);
  if (got <= 0) {
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    broken++;
    reopen(c);
    return;
  }
  c->length += got;
  c->in[c->length] = 0;
  char *end = memmem(c->in, c->length, "\r\n\r\n", 4);
  if (!end)
    return;
  size_t head = end - c->in + 4;
  int status = atoi(c->in + 9);
  *end = 0;
  char *sized = strcasestr(c->in, "\r\ncontent-length:");
  int is_closing = strcasestr(c->in, "\r\nconnection: close") != NULL;
  *end = '\r';
  ssize_t length;
  if (sized) {
    length = strtoul(sized + 17, 0, 10);
    if (c->length < head + length)
      return;
  } else {
    char *joined = malloc(c->length);
    length = join_chunks(c->in + head, c->length - head, joined);
    if (length >= 0)
      memcpy(c->in + head, joined, length);
    free(joined);
    if (length < 0)
      return;
  }
  note(c->in + head, length, status, now_us(), c->sent_at);
  if (is_closing)
    reopen(c);
  else
    post(c);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t percentile(double share) {
  return latency_count ? latencies[(size_t)(share * (latency_count - 1))] : 0;
}

static void read_tokens(const char *file) {
  size_t length;
  char *text = read_file(file, &length), *rest = NULL;
  text = realloc(text, length + 1);
  text[length] = 0;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    tokens = realloc(tokens, (token_count + 1) * sizeof *tokens);
    tokens[token_count++] = line;
    if (strlen(line) > longest_token)
      longest_token = strlen(line);
  }
}

int main(int count, char **given) {
  if (count != 9 && count != 10) {
    fprintf(stderr, "load PORT PATH BODY_FILE CONNECTIONS SECONDS TOKENS_FILE SAMPLE_FILE OTHER_FILE [HEADER]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  address.sin_port = htons(atoi(given[1]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  path = given[2];
  body = read_file(given[3], &body_length);
  int connections = atoi(given[4]);
  double seconds = atof(given[5]);
  read_tokens(given[6]);
  if (count == 10)
    header = given[9];
  latencies = malloc((latency_capacity = 1 << 16) * sizeof *latencies);
  epoll_fd = epoll_create1(0);
  Connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    all[i].in = malloc(all[i].capacity = 1 << 17);
    all[i].out = malloc(body_length + longest_token + strlen(header) + 512);
    if (open_connection(&all[i])) {
      perror("connect");
      return 1;
    }
  }
  uint64_t started = now_us(), until = started + (uint64_t)(seconds * 1e6);
  for (int i = 0; i < connections; i++)
    post(&all[i]);
  struct epoll_event events[256];
  while (now_us() < until) {
    int ready = epoll_wait(epoll_fd, events, 256, 100);
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT)
        flush(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_answer(c);
    }
  }
  uint64_t took = now_us() - started;
  qsort(latencies, latency_count, sizeof *latencies, by_size);
  if (sample)
    write_file(given[7], sample, sample_length);
  if (other)
    write_file(given[8], other, other_length);
  printf("{\"answers\":%lu,\"seconds\":%.6f,\"bytes\":%lu,\"refused\":%lu,\"broken\":%lu,\"different\":%lu,"
         "\"p50_us\":%u,\"p95_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n",
         (unsigned long)answers, took / 1e6, (unsigned long)bytes, (unsigned long)refused, (unsigned long)broken,
         (unsigned long)different, percentile(.5), percentile(.95), percentile(.99), percentile(1));
  return 0;
}
