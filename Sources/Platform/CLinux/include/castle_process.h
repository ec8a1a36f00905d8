// Processes: what Linux offers and Swift's Glibc module does not reach. Used by Supervisor and the engines.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A pidfd of a process (close-on-exec), or -errno.
int castle_pidfd_open(pid_t pid);
/// Sends a signal through a pidfd. 0, or -errno (ESRCH: it has ended).
int castle_pidfd_signal(int pidfd, int signal);

/// An epoll instance, or -errno.
int castle_epoll_create(void);
/// Watches a descriptor for readability, once. 0 or -errno.
int castle_epoll_add(int epoll, int fd, uint64_t token);
/// Forgets a descriptor. 0 or -errno.
int castle_epoll_remove(int epoll, int fd);
/// Waits without end for up to `capacity` tokens. Their number, or -errno.
int castle_epoll_wait(int epoll, uint64_t *tokens, int capacity);

struct castle_shim_result {
  pid_t child;
  uint64_t child_start;
  pid_t shim;
  uint64_t shim_start;
  int64_t started_ms;
  /// What failed, when the call answers an error: "spawn", "exec", "user", "log", …
  char stage[32];
};

/// Starts a castle-shim with a request and waits until its child runs or could not be started. Blocks for
/// milliseconds (at most `timeout_ms`): not for the cooperative pool. 0, or -errno with `stage` filled.
int castle_shim_start(
  const char *path, const char *name, const void *request, size_t request_length, const void *input,
  size_t input_length, int timeout_ms, struct castle_shim_result *result);

/// Flushes the file system that holds a path to its disk (syncfs). 0 or -errno. Blocks.
int castle_sync_filesystem(const char *path);

/// Connects a TCP socket within some milliseconds. The descriptor (blocking mode off), or -errno.
int castle_tcp_connect(const char *address, uint16_t port, int timeout_ms);
/// Binds port 0 on an IPv4 address and gives the port that the kernel chose, or -errno. The socket is closed again.
int castle_free_port(const char *address);
/// Waits for readability (1) or writability (2) or both (3). 1 ready, 0 timed out, -errno.
int castle_poll(int fd, int events, int timeout_ms);
