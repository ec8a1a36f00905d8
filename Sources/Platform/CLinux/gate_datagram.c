// Datagrams and chosen source addresses for the Gate. See gate_datagram.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gate_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in name_of(uint32_t address, uint16_t port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};
  return name;
}

static int failed(int descriptor) {
  int error = errno;
  close(descriptor);
  return -error;
}

int gate_udp_listen(uint32_t address, uint16_t port, uint16_t *bound) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in name = name_of(address, port);
  socklen_t length = sizeof name;
  if (bind(descriptor, (struct sockaddr *)&name, length) < 0) return failed(descriptor);
  if (getsockname(descriptor, (struct sockaddr *)&name, &length) < 0) return failed(descriptor);
  *bound = ntohs(name.sin_port);
  return descriptor;
}

int gate_udp_connect(uint32_t address, uint16_t port, uint32_t source) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  if (source) {
    struct sockaddr_in from = name_of(source, 0);
    if (bind(descriptor, (struct sockaddr *)&from, sizeof from) < 0) return failed(descriptor);
  }
  struct sockaddr_in name = name_of(address, port);
  if (connect(descriptor, (struct sockaddr *)&name, sizeof name) < 0) return failed(descriptor);
  return descriptor;
}

ssize_t gate_udp_receive(int descriptor, void *bytes, size_t capacity, uint32_t *address, uint16_t *port) {
  struct sockaddr_in name;
  socklen_t length = sizeof name;
  ssize_t count = recvfrom(descriptor, bytes, capacity, 0, (struct sockaddr *)&name, &length);
  if (count < 0) return -errno;
  *address = ntohl(name.sin_addr.s_addr);
  *port = ntohs(name.sin_port);
  return count;
}

ssize_t gate_udp_send(int descriptor, const void *bytes, size_t count, uint32_t address, uint16_t port) {
  struct sockaddr_in name = name_of(address, port);
  ssize_t sent = sendto(descriptor, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof name);
  return sent < 0 ? -errno : sent;
}

int gate_connect_from(uint32_t address, uint16_t port, uint32_t source, int *pending) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The port is chosen with the connection, so that one address serves more than 28,000 of them.
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in from = name_of(source, 0);
  if (bind(descriptor, (struct sockaddr *)&from, sizeof from) < 0) return failed(descriptor);
  struct sockaddr_in name = name_of(address, port);
  *pending = 0;
  if (connect(descriptor, (struct sockaddr *)&name, sizeof name) < 0) {
    if (errno != EINPROGRESS) return failed(descriptor);
    *pending = 1;
  }
  return descriptor;
}
