// What the kernel knows of a TCP connection. In a file of its own: linux/tcp.h and netinet/tcp.h do not go together.
#include "gate_net.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

int gate_nothing_taken(int descriptor, uint64_t sent) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
  if (length < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) return 0;
  // The connection's SYN counts as one byte.
  return info.tcpi_bytes_acked <= sent + 1;
}

static int read_info(int descriptor, struct tcp_info *info, size_t wanted) {
  socklen_t length = sizeof *info;
  return getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &length) == 0 && length >= wanted;
}

uint64_t gate_segments(int descriptor) {
  struct tcp_info info;
  if (!read_info(descriptor, &info, offsetof(struct tcp_info, tcpi_segs_in) + sizeof info.tcpi_segs_in)) return 0;
  return (uint64_t)info.tcpi_segs_in + info.tcpi_segs_out;
}

int gate_was_reset(int descriptor) {
  int error = gate_socket_error(descriptor);
  if (error != 0) return error == ECONNRESET || error == EPIPE;
  // Who read the socket has taken its error away.
  struct tcp_info info;
  return read_info(descriptor, &info, sizeof info.tcpi_state) && info.tcpi_state == 7;
}
