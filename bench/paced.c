// paced: asks each request at its scheduled time, or as soon as a connection is free.
//
//   paced PORT CONNECTIONS REQUESTS_FILE
//
// Each line of REQUESTS_FILE is "DUE_NS CORRELATION_ID BODY": nanoseconds after the start, what the request is named, the
// JSON to post. Prints a line for each request, in the order of the answers: "CORRELATION_ID DUE SENT ANSWERED",
// nanoseconds of CLOCK_MONOTONIC. A request that is due goes out whether the ones before are answered or not; if no
// connection is free, it waits, and its due time stays what it was. With DUE_NS 0 throughout, connections never pause.
// An answer that isn't a 200 with data and without errors ends the run. Single thread, epoll, loopback only.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  uint64_t due, sent, answered;
  char *id, *message;
  size_t length;
} Request;

typedef struct {
  int fd;
  Request *request;
  char *in;
  size_t length;
} Connection;

enum { ROOM = 1 << 18 };

static Request *requests;
static size_t request_count, next_request, answer_count;
static Connection **idle;
static size_t idle_count;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "paced: %s: %.300s\n", what, detail);
  exit(1);
}

static void read_requests(const char *name) {
  FILE *file = fopen(name, "r");
  if (!file)
    fail("cannot open", name);
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, file)) > 0) {
    line[strcspn(line, "\n")] = 0;
    char *id = strchr(line, ' '), *body = id ? strchr(id + 1, ' ') : NULL;
    if (!body)
      fail("not a request", line);
    *id++ = 0;
    *body++ = 0;
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    Request *r = &requests[request_count++];
    *r = (Request){.due = strtoull(line, NULL, 10), .id = strdup(id)};
    r->length = asprintf(&r->message,
                         "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                         "x-correlation-id: %s\r\ncontent-length: %zu\r\n\r\n%s",
                         id, strlen(body), body);
  }
  free(line);
  fclose(file);
}

static void post(Connection *c, Request *r) {
  c->request = r;
  c->length = 0;
  r->sent = now_ns();
  if (send(c->fd, r->message, r->length, MSG_NOSIGNAL) != (ssize_t)r->length)
    fail("cannot send", r->id);
}

static void post_what_is_due(uint64_t now) {
  while (idle_count && next_request < request_count && requests[next_request].due <= now)
    post(idle[--idle_count], &requests[next_request++]);
}

static void read_answer(Connection *c) {
  ssize_t got = recv(c->fd, c->in + c->length, ROOM - 1 - c->length, 0);
  if (got <= 0 || !c->request)
    fail("connection ended", strerror(errno));
  uint64_t now = now_ns();
  c->length += got;
  c->in[c->length] = 0;
  char *end = strstr(c->in, "\r\n\r\n");
  if (!end)
    return;
  char *sized = strcasestr(c->in, "\r\ncontent-length:");
  if (!sized || sized > end)
    fail("answer without a length", c->in);
  if (c->length < end + 4 - c->in + strtoul(sized + 17, NULL, 10))
    return;
  if (strncmp(c->in + 9, "200", 3) || !strstr(end, "\"data\":{") || strstr(end, "\"errors\""))
    fail("wrong answer", end);
  c->request->answered = now;
  printf("%s %lu %lu %lu\n", c->request->id, c->request->due, c->request->sent, c->request->answered);
  c->request = NULL;
  answer_count++;
  idle[idle_count++] = c;
}

int main(int count, char **given) {
  if (count != 4) {
    fprintf(stderr, "paced PORT CONNECTIONS REQUESTS_FILE\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); // else the kernel may wake us 50 us after a request is due
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(given[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int connections = atoi(given[2]), one = 1, epoll_fd = epoll_create1(0);
  read_requests(given[3]);
  idle = calloc(connections, sizeof *idle);
  for (int i = 0; i < connections; i++) {
    Connection *c = calloc(1, sizeof *c);
    c->in = malloc(ROOM);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (void *)&address, sizeof address))
      fail("cannot connect", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
    idle[idle_count++] = c;
  }
  uint64_t start = now_ns();
  for (size_t i = 0; i < request_count; i++)
    requests[i].due += start;
  struct epoll_event events[256];
  while (answer_count < request_count) {
    uint64_t now = now_ns();
    post_what_is_due(now);
    struct timespec wait, *timeout = NULL;
    if (idle_count && next_request < request_count) {
      uint64_t due = requests[next_request].due, left = due > now ? due - now : 0;
      wait = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
      timeout = &wait;
    }
    int ready = epoll_pwait2(epoll_fd, events, 256, timeout, NULL);
    for (int i = 0; i < ready; i++)
      read_answer(events[i].data.ptr);
  }
  return 0;
}
