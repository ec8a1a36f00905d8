// relay PORT UPSTREAM [splice]: the least that a reverse proxy can do. Each client gets a connection to the upstream of its
// own, and bytes are passed on unread: no parsing, no rules, no pool. What it costs is what sockets cost, so it is the floor
// under every proxy that receives and sends with them; with `splice` answers go through a pipe, and are not copied.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, EVENTS = 256, BUFFER = 64 << 10, PIPE = 1 << 20 };
static int peers[DESCRIPTORS];
static char buffer[BUFFER];
/// What a connection has not taken yet: in memory, or in a pipe.
static struct {
  char *bytes;
  size_t first, count, piped;
  int pipe[2];
} rests[DESCRIPTORS];
static int splices, is_target[DESCRIPTORS];

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void watch(int poll, int descriptor, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  must(epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
}

static void welcome(int poll, int listener, struct sockaddr_in upstream) {
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
  if (client < 0) return;
  int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(client < DESCRIPTORS && target >= 0 && target < DESCRIPTORS, "too many connections");
  must(connect(target, (struct sockaddr *)&upstream, sizeof upstream) == 0, "connect");
  must(fcntl(target, F_SETFL, O_NONBLOCK) == 0, "fcntl");
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  peers[client] = target;
  peers[target] = client;
  is_target[target] = 1;
  is_target[client] = 0;
  watch(poll, client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  watch(poll, target, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static void end(int descriptor) {
  rests[descriptor].count = rests[descriptor].piped = 0;
  peers[descriptor] = 0;
  if (rests[descriptor].pipe[1]) {
    close(rests[descriptor].pipe[0]);
    close(rests[descriptor].pipe[1]);
    rests[descriptor].pipe[1] = 0;
  }
  close(descriptor);
}

/// Whether all that waited for this connection has gone.
static int flush(int to) {
  while (rests[to].count) {
    ssize_t sent = send(to, rests[to].bytes + rests[to].first, rests[to].count, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    rests[to].first += sent;
    rests[to].count -= sent;
  }
  while (rests[to].piped) {
    ssize_t sent = splice(rests[to].pipe[0], NULL, to, NULL, rests[to].piped, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (sent <= 0) return 0;
    rests[to].piped -= sent;
  }
  return 1;
}

/// Takes what there is for `to`: positive, 0 at the end, below zero when there is nothing or it failed.
static ssize_t take(int from, int to) {
  if (!splices || !is_target[from]) {
    ssize_t count = recv(from, buffer, sizeof buffer, 0);
    if (count <= 0) return count;
    ssize_t sent = send(to, buffer, count, MSG_NOSIGNAL);
    if (sent < 0) sent = 0;
    if (sent < count && !rests[to].bytes) must((rests[to].bytes = malloc(sizeof buffer)) != NULL, "malloc");
    if (sent < count) memcpy(rests[to].bytes, buffer + sent, count - sent);
    rests[to].first = 0;
    rests[to].count = count - sent;
    return count;
  }
  if (!rests[to].pipe[1]) {
    must(pipe2(rests[to].pipe, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
    must(fcntl(rests[to].pipe[0], F_SETPIPE_SZ, PIPE) > 0, "F_SETPIPE_SZ");
  }
  ssize_t count = splice(from, NULL, rests[to].pipe[1], NULL, PIPE, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (count > 0) rests[to].piped = count;
  return count;
}

static void pass(int from) {
  int to = peers[from];
  if (!to) return;
  while (flush(to)) {
    ssize_t count = take(from, to);
    // A short read empties the socket; what a pipe took says nothing.
    if (count > 0 && count < BUFFER && !(splices && is_target[from])) return;
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count == 0 || errno != EAGAIN) {
      end(from);
      end(to);
    }
    return;
  }
}

int main(int count, char **arguments) {
  must(count == 3 || count == 4, "usage: relay PORT UPSTREAM [splice]");
  splices = count == 4;
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))}, upstream = own;
  own.sin_addr.s_addr = upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  upstream.sin_port = htons(atoi(arguments[2]));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), poll = epoll_create1(EPOLL_CLOEXEC), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  must(bind(listener, (struct sockaddr *)&own, sizeof own) == 0 && listen(listener, 4096) == 0, "listen");
  watch(poll, listener, EPOLLIN);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(poll, events, EVENTS, -1);
    for (int index = 0; index < ready; index++) {
      if (events[index].data.fd == listener) welcome(poll, listener, upstream);
      else {
        int descriptor = events[index].data.fd;
        if (rests[descriptor].count || rests[descriptor].piped) pass(peers[descriptor]);
        pass(descriptor);
      }
    }
  }
}
