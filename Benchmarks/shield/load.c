// Clients, attackers and an upstream for Benchmarks/shield, each as one thread on epoll. Sources are addresses of
// 127.0.0.0/8. Traffic goes to 127.0.0.1 only.
//
//   load legit     PORT SOURCES RATE SECONDS        requests at an even pace whatever comes back; prints what came
//   load http      PORT SOURCES RATE SECONDS        the same as an attack, from other sources, over short keep-alive
//   load connect   PORT SOURCES RATE SECONDS        connections that say nothing, held for half a second
//   load slowloris PORT SOURCES CONNECTIONS SECONDS half a head, then a header line every second
//   load slowbody  PORT SOURCES CONNECTIONS SECONDS a head, then a byte of the body every second
//   load reset     PORT SOURCES RATE SECONDS        HTTP/2 streams that are reset at once (CVE-2023-44487), 100 at a time
//   load upstream  PORT CAPACITY                    answers one request after another, CAPACITY a second
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { connections_max = 65536, samples_max = 4000000 };
enum state { state_free, state_connecting, state_idle, state_waiting, state_slow };

struct connection {
  enum state state;
  uint32_t source;
  int uses;
  double began, next;
  char buffer[512];
  int filled;
  int body;
  uint32_t stream;
};

static struct connection connections[connections_max];
static int epoll_fd, port, highest;
static uint32_t source_base, source_count;
static int idle_of[4096][64], idle_count[4096], open_of[4096];
static long opened, refused, due_total, sent, answered, good, failed, denied;
static double *latencies;
static double *times;
static long latency_count;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint32_t address_of(uint32_t source) {
  // Attackers lie far apart, so that no two share a network.
  return source_base == 1 ? 0x7F010000u + source + 1 : 0x7F400000u + source * 977u + 1;
}

static void release(int fd) {
  struct connection *connection = &connections[fd];
  if (connection->state == state_free) return;
  if (connection->state == state_idle) {
    int *list = idle_of[connection->source];
    for (int i = 0; i < idle_count[connection->source]; i++)
      if (list[i] == fd) {
        list[i] = list[--idle_count[connection->source]];
        break;
      }
  }
  open_of[connection->source]--;
  connection->state = state_free;
  close(fd);
}

static int open_connection(uint32_t source) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || fd >= connections_max) {
    if (fd >= 0) close(fd);
    return -1;
  }
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct linger linger = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address_of(source))};
  bind(fd, (struct sockaddr *)&name, sizeof name);
  name.sin_addr.s_addr = htonl(0x7F000001);
  name.sin_port = htons((uint16_t)port);
  if (connect(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  opened++;
  open_of[source]++;
  connections[fd] = (struct connection){.state = state_connecting, .source = source};
  if (fd > highest) highest = fd;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

static const char request[] = "GET /page HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bench\r\n\r\n";

static void ask(int fd) {
  struct connection *connection = &connections[fd];
  if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1)) {
    failed++;
    release(fd);
    return;
  }
  sent++;
  connection->uses++;
  connection->filled = 0;
  connection->body = -1;
  connection->state = state_waiting;
}

static void note(double began) {
  if (latency_count < samples_max) {
    times[latency_count] = began;
    latencies[latency_count++] = now() - began;
  }
}

/// Reads an answer: a head with a Content-Length, and as many bytes.
static void receive(int fd, int uses_max) {
  struct connection *connection = &connections[fd];
  char scrap[4096];
  for (;;) {
    ssize_t count = recv(fd, scrap, sizeof scrap, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      if (connection->state == state_waiting) failed++;
      release(fd);
      return;
    }
    if (connection->state != state_waiting) continue;
    int used = 0;
    if (connection->body < 0) {
      int room = (int)sizeof connection->buffer - 1 - connection->filled;
      used = count < room ? (int)count : room;
      memcpy(connection->buffer + connection->filled, scrap, (size_t)used);
      connection->filled += used;
      connection->buffer[connection->filled] = 0;
      char *end = strstr(connection->buffer, "\r\n\r\n");
      if (!end) continue;
      char *length = strcasestr(connection->buffer, "content-length:");
      connection->body = length && length < end ? atoi(length + 15) : 0;
      connection->body -= (int)(connection->buffer + connection->filled - (end + 4));
    }
    connection->body -= (int)count - used;
    if (connection->body > 0) continue;
    int is_good = strncmp(connection->buffer + 9, "200", 3) == 0;
    answered++;
    if (is_good) {
      good++;
      note(connection->began);
    } else {
      denied++;
    }
    if (connection->uses >= uses_max || !is_good || idle_count[connection->source] >= 64) {
      release(fd);
      return;
    }
    connection->state = state_idle;
    idle_of[connection->source][idle_count[connection->source]++] = fd;
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void print(const char *mode, double start, double seconds) {
  printf("{\"mode\": \"%s\", \"due\": %ld, \"opened\": %ld, \"refused\": %ld, \"sent\": %ld, \"good\": %ld, \"denied\": %ld, \"failed\": %ld",
         mode, due_total, opened, refused, sent, good, denied, failed);
  // The slowest answer of each second, to see how long a disturbance lasts.
  printf(", \"worst_ms\": [");
  int slots = (int)seconds;
  for (int slot = 0; slot < slots; slot++) {
    double worst = 0;
    for (long i = 0; i < latency_count; i++)
      if ((int)(times[i] - start) == slot && latencies[i] > worst) worst = latencies[i];
    printf("%s%.2f", slot ? ", " : "", worst * 1000);
  }
  printf("]");
  qsort(latencies, (size_t)latency_count, sizeof(double), compare);
  if (latency_count > 0) {
    printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f", latencies[latency_count / 2] * 1000,
           latencies[latency_count * 99 / 100] * 1000, latencies[latency_count * 999 / 1000] * 1000);
  }
  printf("}\n");
}

/// What a slow client sends first and then again and again.
static const char slow_head[] = "GET /slow HTTP/1.1\r\nHost: shop.test\r\n", slow_line[] = "X-Slow: 1\r\n";
static const char slow_post[] = "POST /slow HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\n", slow_byte[] = "x";

/// What begins an HTTP/2 connection (RFC 9113, section 3.4): the preface and empty SETTINGS.
static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0";
enum { resets_at_once = 100 };

/// Sends requests each of which is reset at once. Returns how many.
static int reset_streams(int fd) {
  // :method GET, :scheme http, :path /, :authority shop.test
  static const unsigned char block[] = {0x82, 0x86, 0x84, 0x41, 9, 's', 'h', 'o', 'p', '.', 't', 'e', 's', 't'};
  struct connection *connection = &connections[fd];
  unsigned char out[resets_at_once * (9 + sizeof block + 13)], *at = out;
  if (connection->stream == 0) {
    if (send(fd, h2_preface, sizeof h2_preface - 1, MSG_NOSIGNAL) < 0) return -1;
    connection->stream = 1;
  }
  for (int i = 0; i < resets_at_once; i++, connection->stream += 2) {
    uint32_t stream = htonl(connection->stream);
    const unsigned char headers[] = {0, 0, sizeof block, 1, 5}, reset[] = {0, 0, 4, 3, 0};
    memcpy(at, headers, 5), memcpy(at + 5, &stream, 4), memcpy(at + 9, block, sizeof block), at += 9 + sizeof block;
    memcpy(at, reset, 5), memcpy(at + 5, &stream, 4), memcpy(at + 9, "\0\0\0\x08", 4), at += 13;
  }
  // A proxy that reads no more has what it wanted: the rest is not sent.
  if (send(fd, out, (size_t)(at - out), MSG_NOSIGNAL) < (ssize_t)(at - out)) return -1;
  sent += resets_at_once;
  return resets_at_once;
}

static int run_clients(const char *mode, double rate, double seconds) {
  int is_legit = !strcmp(mode, "legit"), is_http = !strcmp(mode, "http"), is_connect = !strcmp(mode, "connect");
  int is_reset = !strcmp(mode, "reset");
  int is_head = !strcmp(mode, "slowloris"), is_slow = is_head || !strcmp(mode, "slowbody");
  int uses_max = is_legit ? 50 : 20;
  double limit = is_legit ? 2.0 : 1.0, hold = 0.5;
  latencies = malloc(sizeof(double) * samples_max);
  times = malloc(sizeof(double) * samples_max);
  epoll_fd = epoll_create1(0);
  struct epoll_event events[512];
  double start = now(), look = start;
  long due_done = 0, turn = 0, alive = 0;
  while (now() - start < seconds + (is_legit ? limit : 0)) {
    double time = now();
    long due = time - start < seconds ? (long)((time - start) * rate) : due_done;
    if (is_reset) {
      for (; due_done + resets_at_once <= due; due_done += resets_at_once) {
        uint32_t source = (uint32_t)(turn++ % source_count);
        if (idle_count[source] == 0) {
          if (open_of[source] < 2) open_connection(source);
          continue;
        }
        int fd = idle_of[source][0];
        if (reset_streams(fd) < 0) release(fd);
      }
    } else if (is_slow) {
      // Up to the wanted number, a tenth of it a second.
      double ramp = (time - start) * rate / 2;
      due = (long)(ramp < rate ? ramp : rate);
      for (long tries = 0; alive < due && tries < 50; tries++) {
        if (open_connection((uint32_t)(turn++ % source_count)) >= 0) alive++;
      }
    } else {
      for (; due_done < due; due_done++) {
        uint32_t source = (uint32_t)(turn++ % source_count);
        double scheduled = start + (double)due_done / rate;
        int fd = -1;
        if (!is_connect && idle_count[source] > 0) {
          fd = idle_of[source][--idle_count[source]];
          connections[fd].state = state_waiting;
          connections[fd].began = scheduled;
          ask(fd);
          continue;
        }
        if (!is_legit && open_of[source] >= 50) {
          refused++;
          continue;
        }
        fd = open_connection(source);
        if (fd < 0) {
          failed++;
          continue;
        }
        connections[fd].began = scheduled;
        connections[fd].next = time + hold;
      }
    }
    int count = epoll_wait(epoll_fd, events, 512, 1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      struct connection *connection = &connections[fd];
      if (connection->state == state_free) continue;
      uint32_t flags = events[i].events;
      if (connection->state == state_connecting && flags & (EPOLLERR | EPOLLHUP)) {
        if (is_legit) failed++; else refused++;
        if (is_slow) alive--;
        release(fd);
        continue;
      }
      if (connection->state == state_connecting && flags & EPOLLOUT) {
        if (is_legit || is_http) {
          ask(fd);
        } else if (is_reset) {
          connection->state = state_idle;
          idle_of[connection->source][idle_count[connection->source]++] = fd;
        } else {
          connection->state = state_slow;
          if (is_slow) {
            const char *first = is_head ? slow_head : slow_post;
            send(fd, first, strlen(first), MSG_NOSIGNAL);
            connection->next = now() + 1;
          }
        }
      }
      if (flags & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        int was_slow = connection->state == state_slow;
        receive(fd, uses_max);
        if (connections[fd].state == state_free && was_slow && is_slow) alive--;
      }
    }
    if (time - look > 0.02) {
      look = time;
      for (int fd = 0; fd <= highest; fd++) {
        struct connection *connection = &connections[fd];
        if (connection->state == state_free || connection->state == state_idle) continue;
        if (connection->state == state_slow && time >= connection->next) {
          const char *more = is_head ? slow_line : slow_byte;
          if (is_connect || send(fd, more, strlen(more), MSG_NOSIGNAL) < 0) {
            if (is_slow) alive--;
            release(fd);
          } else {
            connection->next = time + 1;
          }
        } else if (connection->state == state_connecting || connection->state == state_waiting) {
          if (connection->began == 0) connection->began = time;
          if (time - connection->began > limit) {
            if (connection->state == state_connecting && !is_legit) refused++; else failed++;
            if (is_slow) alive--;
            release(fd);
          }
        }
      }
    }
  }
  due_total = due_done;
  print(mode, start, seconds);
  return 0;
}

// One request after another takes its time; those that wait form a line, as in front of an application.
struct waiting {
  int fd;
  uint32_t generation;
};

static int run_upstream(double capacity) {
  static struct waiting line[1 << 20];
  static uint32_t generations[connections_max];
  uint32_t head = 0, tail = 0;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7F000001)};
  if (bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 4096) < 0) return 1;
  epoll_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
  double free_at = now();
  for (;;) {
    int timeout = -1;
    if (head != tail) timeout = free_at > now() ? (free_at - now() > 0.002 ? 1 : 0) : 0;
    int count = epoll_wait(epoll_fd, events, 512, timeout);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int accepted;
        while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          if (accepted >= connections_max) { close(accepted); continue; }
          setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          generations[accepted]++;
          event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
          epoll_ctl(epoll_fd, EPOLL_CTL_ADD, accepted, &event);
        }
        continue;
      }
      char buffer[8192];
      ssize_t got = recv(fd, buffer, sizeof buffer - 1, 0);
      if (got <= 0) {
        if (got < 0 && errno == EAGAIN) continue;
        generations[fd]++;
        close(fd);
        continue;
      }
      buffer[got] = 0;
      // Only whole GETs are counted; a POST's body is read and never answered before its end.
      for (char *at = buffer; (at = strstr(at, "GET ")) != NULL; at += 4) {
        if (head - tail < (1u << 20)) line[head++ & ((1 << 20) - 1)] = (struct waiting){fd, generations[fd]};
      }
    }
    double time = now();
    while (head != tail && free_at <= time) {
      struct waiting next = line[tail++ & ((1 << 20) - 1)];
      // Who has gone needs no work.
      if (generations[next.fd] != next.generation) continue;
      free_at = (free_at > time - 0.001 ? free_at : time) + 1 / capacity;
      send(next.fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
  }
}

int main(int count, char **arguments) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (count < 4) return 64;
  const char *mode = arguments[1];
  port = atoi(arguments[2]);
  if (!strcmp(mode, "upstream")) return run_upstream(atof(arguments[3]));
  if (count < 6) return 64;
  source_base = !strcmp(mode, "legit") ? 1 : 2;
  source_count = (uint32_t)atoi(arguments[3]);
  if (source_count < 1 || source_count > 4096) return 64;
  return run_clients(mode, atof(arguments[4]), atof(arguments[5]));
}
