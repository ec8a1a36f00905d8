// What the kernel knows of a TCP connection. In a file of its own: linux/tcp.h and netinet/tcp.h do not go together.
#include "gate_net.h"

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
