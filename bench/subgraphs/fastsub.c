// fastsub: a caching HTTP/1.1 front for the benchmark's subgraphs.
// Key = path + request body  ->  prebuilt response bytes.  On a miss the request
// is forwarded (blocking, warm-up only) to the real GraphQL backend, and the
// answer is kept.  Single thread, epoll, keep-alive, loopback only.
//   fastsub LISTEN_PORT BACKEND_PORT [DELAY_US [note]]
//   GET /__stats  -> {"path":count,...}      GET /__reset -> zero the counters
//   GET /__dump   -> every known request: hits, path, body, response size
//   GET /__flush  -> forget all cached responses
//   GET /__times  -> with "note": "PATH X_CORRELATION_ID READ WRITTEN" of each fetch since the last time this was asked,
//                    CLOCK_MONOTONIC ns: when its last byte was read, when its answer was about to be written
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct Entry {
  uint64_t h;
  char *path;
  char *body;
  size_t blen;
  char *resp;
  size_t rlen;
  size_t json;
  uint64_t hits;
  struct Entry *next;
} Entry;
#define NB 16384
static Entry *tab[NB];
static int nent;
typedef struct Conn {
  int fd;
  char *in;
  size_t len, cap;
  char *out;
  size_t olen, ooff, ocap;
  int want_out;
  uint32_t gen;
} Conn;
static Conn *conns[65536];
typedef struct {
  uint64_t due;
  int fd;
  uint32_t gen;
  Entry *e;
  size_t note;
} Delayed;
typedef struct {
  char path[32], id[64];
  uint64_t read, written;
} Note;
static Note *notes;
static size_t note_count, note_capacity;
static int is_noting;
static uint64_t last_read_ns;
static Delayed *dq;
static size_t dh, dt, dcap;
static int ep, backend_port;
static uint64_t delay_us;
static struct {
  char path[64];
  uint64_t n, in, out;
} st[64];
static int nst;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static uint64_t now_us(void) { return now_ns() / 1000; }
static size_t note_read(const char *path, const char *id, size_t id_length) {
  if (!is_noting)
    return 0;
  if (note_count == note_capacity)
    notes = realloc(notes, (note_capacity = note_capacity ? note_capacity * 2 : 1024) * sizeof *notes);
  Note *n = &notes[note_count];
  *n = (Note){.read = last_read_ns};
  snprintf(n->path, sizeof n->path, "%s", path);
  snprintf(n->id, sizeof n->id, "%.*s", (int)id_length, id);
  return note_count++;
}
static void note_written(size_t note) {
  if (note < note_count)
    notes[note].written = now_ns();
}
static uint64_t hash(const char *p, size_t n, uint64_t h) { // 8 bytes at a time, multiply-mix
  while (n >= 8) {
    uint64_t v;
    memcpy(&v, p, 8);
    h = (h ^ v) * 0x9E3779B97F4A7C15ull;
    h ^= h >> 29;
    p += 8;
    n -= 8;
  }
  uint64_t v = 0;
  memcpy(&v, p, n);
  h = (h ^ v ^ ((uint64_t)n << 56)) * 0x9E3779B97F4A7C15ull;
  return h ^ (h >> 32);
}
static void count(const char *path, size_t in, size_t out) {
  for (int i = 0; i < nst; i++)
    if (!strcmp(st[i].path, path)) {
      st[i].n++;
      st[i].in += in;
      st[i].out += out;
      return;
    }
  if (nst < 64) {
    snprintf(st[nst].path, 64, "%s", path);
    st[nst].n = 1;
    st[nst].in = in;
    st[nst].out = out;
    nst++;
  }
}

static char *backend(const char *path, const char *body, size_t blen, size_t *jl) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(backend_port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(s, (void *)&a, sizeof a)) {
    close(s);
    return 0;
  }
  char hd[512];
  int n = snprintf(hd, sizeof hd,
                   "POST %s HTTP/1.0\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", path,
                   blen);
  if (write(s, hd, n) < 0) {
    close(s);
    return 0;
  }
  size_t o = 0;
  while (o < blen) {
    ssize_t w = write(s, body + o, blen - o);
    if (w <= 0)
      break;
    o += w;
  }
  size_t cap = 1 << 20, len = 0;
  char *b = malloc(cap);
  ssize_t r;
  while ((r = read(s, b + len, cap - len - 1)) > 0) {
    len += r;
    if (cap - len < 65536) {
      cap *= 2;
      b = realloc(b, cap);
    }
  }
  close(s);
  b[len] = 0;
  char *p = strstr(b, "\r\n\r\n");
  if (!p) {
    free(b);
    return 0;
  }
  p += 4;
  *jl = len - (p - b);
  char *j = malloc(*jl + 1);
  memcpy(j, p, *jl);
  free(b);
  return j;
}

static Entry *lookup(const char *path, const char *body, size_t blen) {
  uint64_t h = hash(body, blen, hash(path, strlen(path), 1));
  for (Entry *e = tab[h % NB]; e; e = e->next)
    if (e->h == h && e->blen == blen && !strcmp(e->path, path) && !memcmp(e->body, body, blen))
      return e;
  size_t jl;
  char *j = backend(path, body, blen, &jl);
  if (!j)
    return 0;
  Entry *e = calloc(1, sizeof *e);
  e->h = h;
  e->path = strdup(path);
  e->body = malloc(blen + 1);
  memcpy(e->body, body, blen);
  e->body[blen] = 0;
  e->blen = blen;
  e->json = jl;
  e->resp = malloc(jl + 256);
  int n = sprintf(e->resp, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", jl);
  memcpy(e->resp + n, j, jl);
  e->rlen = n + jl;
  free(j);
  if (nent < 20000) {
    e->next = tab[h % NB];
    tab[h % NB] = e;
    nent++;
  }
  return e;
}

static void arm(Conn *c, int w) {
  if (c->want_out == w)
    return;
  c->want_out = w;
  struct epoll_event ev = {.events = EPOLLIN | (w ? EPOLLOUT : 0), .data.fd = c->fd};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}
static void drop(Conn *c) {
  conns[c->fd] = 0;
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}
static void send_bytes(Conn *c, const char *p, size_t n) {
  if (c->olen == c->ooff) {
    ssize_t w = send(c->fd, p, n, MSG_NOSIGNAL);
    if (w < 0)
      w = 0;
    if ((size_t)w == n)
      return;
    p += w;
    n -= w;
    c->olen = c->ooff = 0;
  }
  if (c->olen + n > c->ocap) {
    c->ocap = (c->olen + n) * 2;
    c->out = realloc(c->out, c->ocap);
  }
  memcpy(c->out + c->olen, p, n);
  c->olen += n;
  arm(c, 1);
}
static void reply_text(Conn *c, const char *s, size_t n) {
  char h[128];
  int k = sprintf(h, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", n);
  send_bytes(c, h, k);
  send_bytes(c, s, n);
}

static void control(Conn *c, const char *path) {
  if (!strcmp(path, "/__reset")) {
    nst = 0;
    for (int i = 0; i < NB; i++)
      for (Entry *e = tab[i]; e; e = e->next)
        e->hits = 0;
    reply_text(c, "ok\n", 3);
    return;
  }
  if (!strcmp(path, "/__flush")) {
    for (int i = 0; i < NB; i++)
      tab[i] = 0;
    nent = 0;
    nst = 0;
    reply_text(c, "ok\n", 3);
    return;
  }
  char *b = 0;
  size_t n = 0;
  FILE *f = open_memstream(&b, &n);
  if (!strcmp(path, "/__times")) {
    for (size_t i = 0; i < note_count; i++)
      fprintf(f, "%s %s %lu %lu\n", notes[i].path, notes[i].id, notes[i].read, notes[i].written);
    note_count = 0;
  } else if (!strcmp(path, "/__dump")) {
    for (int i = 0; i < NB; i++)
      for (Entry *e = tab[i]; e; e = e->next)
        if (e->hits)
          fprintf(f, "%lu\t%s\t%zu\t%s\n", e->hits, e->path, e->json, e->body);
  } else {
    fprintf(f, "{");
    for (int i = 0; i < nst; i++)
      fprintf(f, "%s\"%s\":[%lu,%lu,%lu]", i ? "," : "", st[i].path, st[i].n, st[i].in, st[i].out);
    fprintf(f, "}\n");
  }
  fclose(f);
  reply_text(c, b, n);
  free(b);
}

// returns 1 if a whole request was consumed
static int step(Conn *c) {
  char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
  if (!end)
    return 0;
  size_t hl = end - c->in + 4;
  char path[256];
  char *sp = memchr(c->in, ' ', hl);
  if (!sp)
    return -1;
  char *sp2 = memchr(sp + 1, ' ', hl - (sp + 1 - c->in));
  if (!sp2 || sp2 - sp - 1 > 250)
    return -1;
  memcpy(path, sp + 1, sp2 - sp - 1);
  path[sp2 - sp - 1] = 0;
  char *q = strchr(path, '?');
  if (q)
    *q = 0;
  size_t cl = 0, id_length = 1;
  const char *id = "-";
  int chunked = 0;
  char *p = memchr(c->in, '\n', hl) + 1;
  while (p < end) {
    char *nl = memchr(p, '\n', end + 2 - p);
    if (!nl)
      break;
    if (!strncasecmp(p, "content-length:", 15))
      cl = strtoul(p + 15, 0, 10);
    else if (!strncasecmp(p, "transfer-encoding:", 18))
      chunked = 1;
    else if (is_noting && !strncasecmp(p, "x-correlation-id:", 17)) {
      id = p + 17 + strspn(p + 17, " ");
      id_length = strcspn(id, "\r\n");
    }
    p = nl + 1;
  }
  char *body = c->in + hl;
  size_t blen = cl, total = hl + cl;
  char *tmp = 0;
  if (chunked) {
    size_t o = hl;
    tmp = malloc(c->len);
    blen = 0;
    for (;;) {
      char *nl = memmem(c->in + o, c->len - o, "\r\n", 2);
      if (!nl) {
        free(tmp);
        return 0;
      }
      size_t k = strtoul(c->in + o, 0, 16);
      o = nl + 2 - c->in;
      if (o + k + 2 > c->len) {
        free(tmp);
        return 0;
      }
      memcpy(tmp + blen, c->in + o, k);
      blen += k;
      o += k + 2;
      if (!k)
        break;
    }
    body = tmp;
    total = o;
  } else if (c->len < total)
    return 0;
  if (path[1] == '_') {
    control(c, path);
  } else {
    Entry *e = lookup(path, body, blen);
    if (!e) {
      free(tmp);
      return -1;
    }
    e->hits++;
    count(path, blen, e->json);
    size_t note = note_read(path, id, id_length);
    if (delay_us) {
      if (dt - dh == dcap) {
        size_t nc = dcap ? dcap * 2 : 1024;
        Delayed *n = malloc(nc * sizeof *n);
        for (size_t i = 0; i < dcap; i++)
          n[i] = dq[(dh + i) % dcap];
        free(dq);
        dq = n;
        dt = dcap;
        dh = 0;
        dcap = nc;
      }
      dq[dt++ % dcap] = (Delayed){now_us() + delay_us, c->fd, c->gen, e, note};
    } else {
      note_written(note);
      send_bytes(c, e->resp, e->rlen);
    }
  }
  free(tmp);
  memmove(c->in, c->in + total, c->len - total);
  c->len -= total;
  return 1;
}

int main(int ac, char **av) {
  signal(SIGPIPE, SIG_IGN);
  int port = atoi(av[1]);
  backend_port = atoi(av[2]);
  delay_us = ac > 3 ? atol(av[3]) : 0;
  is_noting = ac > 4 && !strcmp(av[4], "note");
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) {
    perror("bind");
    return 1;
  }
  ep = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN, .data.fd = ls};
  epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
  struct epoll_event evs[256];
  static uint32_t gen;
  fprintf(stderr, "fastsub on 127.0.0.1:%d backend %d delay_us %lu\n", port, backend_port, delay_us);
  for (;;) {
    struct timespec ts, *tp = 0;
    if (dh != dt) {
      uint64_t n = now_us(), d = dq[dh % dcap].due;
      uint64_t w = d > n ? d - n : 0;
      ts.tv_sec = w / 1000000;
      ts.tv_nsec = (w % 1000000) * 1000;
      tp = &ts;
    }
    int n = epoll_pwait2(ep, evs, 256, tp, 0);
    for (int i = 0; i < n; i++) {
      int fd = evs[i].data.fd;
      if (fd == ls) {
        int s;
        while ((s = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0) {
          if (s >= 65536) {
            close(s);
            continue;
          }
          setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          Conn *c = calloc(1, sizeof *c);
          c->fd = s;
          c->gen = ++gen;
          c->cap = 16384;
          c->in = malloc(c->cap);
          conns[s] = c;
          struct epoll_event e2 = {.events = EPOLLIN, .data.fd = s};
          epoll_ctl(ep, EPOLL_CTL_ADD, s, &e2);
        }
        continue;
      }
      Conn *c = conns[fd];
      if (!c)
        continue;
      if (evs[i].events & EPOLLOUT) {
        ssize_t w = send(fd, c->out + c->ooff, c->olen - c->ooff, MSG_NOSIGNAL);
        if (w > 0)
          c->ooff += w;
        if (c->ooff == c->olen) {
          c->ooff = c->olen = 0;
          arm(c, 0);
        }
      }
      if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (c->cap - c->len < 8192) {
          c->cap *= 2;
          c->in = realloc(c->in, c->cap);
        }
        ssize_t r = recv(fd, c->in + c->len, c->cap - c->len, 0);
        if (r <= 0) {
          if (r < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
          drop(c);
          continue;
        }
        c->len += r;
        if (is_noting)
          last_read_ns = now_ns();
        int s;
        while ((s = step(c)) == 1)
          ;
        if (s < 0)
          drop(c);
      }
    }
    if (dh != dt) {
      uint64_t t = now_us();
      while (dh != dt && dq[dh % dcap].due <= t) {
        Delayed *d = &dq[dh++ % dcap];
        Conn *c = conns[d->fd];
        note_written(d->note);
        if (c && c->gen == d->gen)
          send_bytes(c, d->e->resp, d->e->rlen);
      }
    }
  }
}
