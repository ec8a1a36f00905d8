// Sockets, epoll and child processes for the Gate. See gate_net.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gate_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int gate_epoll_create(void) {
  int result = epoll_create1(EPOLL_CLOEXEC);
  return result < 0 ? -errno : result;
}

int gate_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int gate_epoll_remove(int epoll, int descriptor) {
  struct epoll_event event = {0};
  return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event) < 0 ? -errno : 0;
}

int gate_eventfd(void) {
  int result = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return result < 0 ? -errno : result;
}

_Static_assert(MSG_NOSIGNAL == 0x4000, "gate_send says it by number");

ssize_t gate_send2(
    int descriptor, const void *_Nonnull first, size_t first_count, const void *_Nonnull second, size_t second_count) {
  struct iovec pieces[2] = {{(void *)first, first_count}, {(void *)second, second_count}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
  ssize_t result = sendmsg(descriptor, &message, MSG_NOSIGNAL);
  return result < 0 ? -errno : result;
}

_Static_assert((SPLICE_F_MOVE | SPLICE_F_NONBLOCK) == 3, "gate_splice says it by number");

int gate_pipe(int *reader, int *writer, int size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  // Unprivileged users have a limit in all (pipe-user-pages-soft), beyond which a small pipe must do.
  fcntl(ends[0], F_SETPIPE_SZ, size);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  *reader = ends[0];
  *writer = ends[1];
  return 0;
}

int gate_is_quiet(int descriptor) {
  char byte;
  ssize_t result = recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static struct sockaddr_in gate_name(uint32_t address, uint16_t port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};
  return name;
}

/// Sets what small answers want: no waiting for more to send, and on loopback no model of a path that is not there
/// (BBR paces with timers).
static void gate_tune(int descriptor, uint32_t address) {
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (address >> 24 == 127) setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static int gate_close_failed(int descriptor) {
  int error = errno;
  close(descriptor);
  return -error;
}

int gate_local_name(int descriptor, uint32_t *address, uint16_t *port) {
  struct sockaddr_in name;
  socklen_t length = sizeof name;
  if (getsockname(descriptor, (struct sockaddr *)&name, &length) < 0) return -errno;
  *address = ntohl(name.sin_addr.s_addr);
  *port = ntohs(name.sin_port);
  return 0;
}

int gate_listen(uint32_t address, uint16_t port, uint16_t *bound) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it, which saves calls for each connection.
  gate_tune(descriptor, address);
  struct sockaddr_in name = gate_name(address, port);
  if (bind(descriptor, (struct sockaddr *)&name, sizeof name) < 0) return gate_close_failed(descriptor);
  if (listen(descriptor, 4096) < 0) return gate_close_failed(descriptor);
  uint32_t ignored;
  int result = gate_local_name(descriptor, &ignored, bound);
  if (result < 0) {
    close(descriptor);
    return result;
  }
  return descriptor;
}

int gate_accept(int listener, uint32_t *address, uint16_t *port) {
  struct sockaddr_in name;
  socklen_t length = sizeof name;
  int descriptor = accept4(listener, (struct sockaddr *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return -errno;
  *address = ntohl(name.sin_addr.s_addr);
  *port = ntohs(name.sin_port);
  return descriptor;
}

int gate_connect(uint32_t address, uint16_t port, int *pending) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  gate_tune(descriptor, address);
  struct sockaddr_in name = gate_name(address, port);
  *pending = 0;
  if (connect(descriptor, (struct sockaddr *)&name, sizeof name) < 0) {
    if (errno != EINPROGRESS) return gate_close_failed(descriptor);
    *pending = 1;
  }
  return descriptor;
}

int gate_socket_error(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

void gate_reset(int descriptor) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(descriptor);
}

int gate_unix_listen(const char *path) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof name.sun_path) return -ENAMETOOLONG;
  strcpy(name.sun_path, path);
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  struct stat old;
  if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode)) unlink(path);
  // Linux makes the file with the socket's own mode. The umask would do it too, for all threads that make files just now.
  if (fchmod(descriptor, 0600) < 0) return gate_close_failed(descriptor);
  if (bind(descriptor, (struct sockaddr *)&name, sizeof name) < 0) return gate_close_failed(descriptor);
  if (listen(descriptor, 64) < 0) return gate_close_failed(descriptor);
  return descriptor;
}

int gate_unix_accept(int listener) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int gate_channel(int *parent, int *child) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  *parent = ends[0];
  *child = ends[1];
  return 0;
}

int gate_channel_send(int channel, const char *bytes, size_t count, int descriptor) {
  struct iovec piece = {(void *)bytes, count};
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (descriptor >= 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.space;
    message.msg_controllen = sizeof control.space;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  ssize_t result;
  do result = sendmsg(channel, &message, MSG_NOSIGNAL);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

ssize_t gate_channel_receive(int channel, char *bytes, size_t capacity, int *descriptor) {
  struct iovec piece = {bytes, capacity};
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  *descriptor = -1;
  ssize_t result;
  do result = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      memcpy(descriptor, CMSG_DATA(header), sizeof(int));
  }
  return result;
}

int gate_own_descriptors(const int *kept, size_t count) {
  if (count == 0) return -EINVAL;
  // What lies above the last is never copied; what lies between is open twice for a moment.
  if (syscall(SYS_close_range, (unsigned)kept[count - 1] + 1, ~0u, CLOSE_RANGE_UNSHARE) < 0) return -errno;
  int next = 0;
  for (size_t index = 0; index < count; index++) {
    if (kept[index] > next) syscall(SYS_close_range, (unsigned)next, (unsigned)kept[index] - 1, 0);
    next = kept[index] + 1;
  }
  return 0;
}

int gate_spawn_self(char *const *arguments, int inherited) {
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child > 0) return child;
  // The parent has one thread, so the child may do as it likes before exec.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  fcntl(inherited, F_SETFD, 0);
  // The C library keeps seven small blocks of a size for each thread; a TLS handshake takes and gives back hundreds.
  setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=128", 0);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

int gate_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
  int result = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return result < 0 ? -errno : result;
}

int gate_next_signal(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t result = read(descriptor, &info, sizeof info);
  return result == sizeof info ? (int)info.ssi_signo : 0;
}

int gate_reap(int process, int *status) {
  pid_t result = waitpid(process, status, WNOHANG);
  return result < 0 ? -errno : result;
}

void gate_raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

void gate_tune_allocator(void) {
  mallopt(M_ARENA_MAX, 1);
  // What a long body leaves behind is given back and asked for again many times a second: with less than this each time is a
  // system call and a page fault for every page.
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
}
