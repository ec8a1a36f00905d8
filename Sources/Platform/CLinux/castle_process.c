// The C side of Supervisor: pidfd, epoll, starting a shim, and small socket helpers with deadlines.

#define _GNU_SOURCE
#include "castle_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MARK: - pidfd

int castle_pidfd_open(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0u);
  return fd < 0 ? -errno : (int)fd;
}

int castle_pidfd_signal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0u) < 0 ? -errno : 0;
}

// MARK: - epoll

int castle_epoll_create(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int castle_epoll_add(int epoll, int fd, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = token};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int castle_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0; }

int castle_epoll_wait(int epoll, uint64_t *tokens, int capacity) {
  struct epoll_event events[64];
  int n = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, -1);
  if (n < 0) return -errno;
  for (int i = 0; i < n; i++) tokens[i] = events[i].data.u64;
  return n;
}

// MARK: - The shim

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// An anonymous file with some bytes, above the descriptors that the shim gives a meaning to.
static int anonymous(const char *name, const void *bytes, size_t length) {
  int low = memfd_create(name, MFD_CLOEXEC);
  if (low < 0) return -errno;
  int fd = fcntl(low, F_DUPFD_CLOEXEC, 10);
  int code = errno;
  close(low);
  if (fd < 0) return -code;
  size_t written = 0;
  while (written < length) {
    ssize_t n = write(fd, (const char *)bytes + written, length - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      code = n < 0 ? errno : EIO;
      close(fd);
      return -code;
    }
    written += (size_t)n;
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static int spawn_shim(const char *path, const char *name, int request, int answer, int input) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_adddup2(&actions, request, 3);
  posix_spawn_file_actions_adddup2(&actions, answer, 4);
  if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, 5);
  char *arguments[] = {"castle-shim", (char *)name, NULL};
  char *environment[] = {NULL};
  pid_t pid = 0;
  int code = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return -code;
  // This process only forks the one that stays, and ends.
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return 0;
}

static int read_answer(int fd, int timeout_ms, char *line, size_t capacity) {
  size_t filled = 0;
  int64_t deadline = monotonic_ms() + timeout_ms;
  while (filled + 1 < capacity) {
    int64_t left = deadline - monotonic_ms();
    if (left <= 0) return -ETIMEDOUT;
    struct pollfd item = {.fd = fd, .events = POLLIN};
    int ready = poll(&item, 1, (int)left);
    if (ready < 0 && errno != EINTR) return -errno;
    if (ready <= 0) continue;
    ssize_t n = read(fd, line + filled, capacity - 1 - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) break;
    filled += (size_t)n;
    if (memchr(line, '\n', filled) != NULL) break;
  }
  line[filled] = 0;
  return filled == 0 ? -EPIPE : 0;
}

static int fill(struct castle_shim_result *result, const char *line) {
  int child, shim, code;
  unsigned long long child_start, shim_start;
  long long started;
  if (sscanf(line, "ok %d %llu %d %llu %lld", &child, &child_start, &shim, &shim_start, &started) == 5) {
    result->child = child;
    result->child_start = child_start;
    result->shim = shim;
    result->shim_start = shim_start;
    result->started_ms = started;
    return 0;
  }
  if (sscanf(line, "error %31s %d", result->stage, &code) == 2 && code > 0) return -code;
  strcpy(result->stage, "answer");
  return -EPROTO;
}

int castle_shim_start(
  const char *path, const char *name, const void *request, size_t request_length, const void *input,
  size_t input_length, int timeout_ms, struct castle_shim_result *result) {
  memset(result, 0, sizeof *result);
  strcpy(result->stage, "spawn");
  int request_fd = anonymous("castle-request", request, request_length);
  if (request_fd < 0) return request_fd;
  int input_fd = -1, low[2], ends[2] = {-1, -1}, code = 0;
  char line[256];
  if (input != NULL && (input_fd = anonymous("castle-input", input, input_length)) < 0) code = input_fd;
  if (code == 0 && pipe2(low, O_CLOEXEC) != 0) code = -errno;
  if (code == 0) {
    ends[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 10);
    ends[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 10);
    close(low[0]);
    close(low[1]);
    if (ends[0] < 0 || ends[1] < 0) code = -EMFILE;
  }
  if (code == 0) code = spawn_shim(path, name, request_fd, ends[1], input_fd);
  if (ends[1] >= 0) close(ends[1]);
  close(request_fd);
  if (input_fd >= 0) close(input_fd);
  if (code == 0) {
    strcpy(result->stage, "answer");
    code = read_answer(ends[0], timeout_ms, line, sizeof line);
  }
  if (ends[0] >= 0) close(ends[0]);
  return code == 0 ? fill(result, line) : code;
}

// MARK: - Files and sockets

int castle_sync_filesystem(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int code = syncfs(fd) != 0 ? -errno : 0;
  close(fd);
  return code;
}

static int address_of(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *length) {
  memset(out, 0, sizeof *out);
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof *v4;
    return 0;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *length = sizeof *v6;
    return 0;
  }
  return -EINVAL;
}

int castle_poll(int fd, int events, int timeout_ms) {
  struct pollfd item = {.fd = fd, .events = (short)(((events & 1) ? POLLIN : 0) | ((events & 2) ? POLLOUT : 0))};
  int64_t deadline = monotonic_ms() + timeout_ms;
  for (;;) {
    int64_t left = deadline - monotonic_ms();
    int n = poll(&item, 1, left > 0 ? (int)left : 0);
    if (n >= 0) return n > 0 ? 1 : 0;
    if (errno != EINTR) return -errno;
  }
}

int castle_tcp_connect(const char *address, uint16_t port, int timeout_ms) {
  struct sockaddr_storage target;
  socklen_t length;
  int code = address_of(address, port, &target, &length);
  if (code != 0) return code;
  int fd = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&target, length) == 0) return fd;
  code = -errno;
  if (code == -EINPROGRESS) {
    int ready = castle_poll(fd, 2, timeout_ms);
    int result = 0;
    socklen_t size = sizeof result;
    if (ready == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) == 0 && result == 0) return fd;
    code = ready == 1 ? -result : ready == 0 ? -ETIMEDOUT : ready;
  }
  close(fd);
  return code;
}

int castle_free_port(const char *address) {
  struct sockaddr_storage target;
  socklen_t length;
  int code = address_of(address, 0, &target, &length);
  if (code != 0) return code;
  int fd = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&target, length) != 0 || getsockname(fd, (struct sockaddr *)&target, &length) != 0) {
    code = -errno;
    close(fd);
    return code;
  }
  close(fd);
  return target.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&target)->sin_port)
                                     : ntohs(((struct sockaddr_in6 *)&target)->sin6_port);
}
