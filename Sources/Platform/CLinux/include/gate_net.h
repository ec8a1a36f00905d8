#pragma once
// What the Gate asks of Linux, in shapes that Swift imports well. Results below zero are negated errno values.
//
// <sys/socket.h> is not included here: its SOCK_ constants are an enumeration, and Swift's Glibc module has it, too. Of two
// modules with the same one the compiler takes that which it met first; a file that imports only the other does not
// find SOCK_DGRAM then, which depends on the files that are compiled in the same batch.

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static const uint32_t GATE_EPOLLIN = 0x001;
static const uint32_t GATE_EPOLLOUT = 0x004;
static const uint32_t GATE_EPOLLERR = 0x008;
static const uint32_t GATE_EPOLLHUP = 0x010;
static const uint32_t GATE_EPOLLRDHUP = 0x2000;
static const uint32_t GATE_EPOLLEXCLUSIVE = 1u << 28;
static const uint32_t GATE_EPOLLET = 1u << 31;

/// Adds a descriptor to an epoll instance under a token.
int gate_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token);
int gate_epoll_remove(int epoll, int descriptor);
int gate_epoll_create(void);
int gate_eventfd(void);

/// A system call without the C library around it: its send and recv are cancellation points, which costs on every call.
static inline long gate_call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
  long result = syscall(number, a, b, c, d, e, f);
  return result < 0 ? -errno : result;
#endif
}

static inline int gate_epoll_wait(int epoll, struct epoll_event *_Nonnull events, int capacity, int timeout_ms) {
  return (int)gate_call(SYS_epoll_pwait, epoll, (long)events, capacity, timeout_ms, 0, 8);
}

static inline uint64_t gate_event_token(const struct epoll_event *_Nonnull events, int index) {
  return events[index].data.u64;
}

static inline uint32_t gate_event_flags(const struct epoll_event *_Nonnull events, int index) {
  return events[index].events;
}

static inline ssize_t gate_recv(int descriptor, void *_Nonnull bytes, size_t count) {
  return gate_call(SYS_recvfrom, descriptor, (long)bytes, (long)count, 0, 0, 0);
}

/// Sends without the signal SIGPIPE (MSG_NOSIGNAL).
static inline ssize_t gate_send(int descriptor, const void *_Nonnull bytes, size_t count) {
  return gate_call(SYS_sendto, descriptor, (long)bytes, (long)count, 0x4000, 0, 0);
}

/// Two pieces in one packet.
ssize_t gate_send2(
    int descriptor, const void *_Nonnull first, size_t first_count, const void *_Nonnull second, size_t second_count);

/// A pipe, non-blocking, that holds `size` bytes when the system allows so many. Blocks SIGPIPE in this thread, against which
/// splice(2) has no flag. 0, or why not.
int gate_pipe(int *_Nonnull reader, int *_Nonnull writer, int size);

/// Moves what there is, up to `count` bytes, from a socket to a pipe or back without copying it (SPLICE_F_MOVE,
/// SPLICE_F_NONBLOCK, which is for the pipe only: the socket must be non-blocking by itself).
static inline ssize_t gate_splice(int from, int to, size_t count) {
  return gate_call(SYS_splice, from, 0, to, 0, (long)count, 3);
}

/// Whether a connection without anything to read is still open: 1, or 0 when closed or when bytes wait.
int gate_is_quiet(int descriptor);

/// Microseconds of the monotonic clock.
static inline uint64_t gate_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

/// Microseconds since 1970.
static inline uint64_t gate_wall(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

/// A listening TCP socket; the address is in host byte order, the bound port is written back.
int gate_listen(uint32_t address, uint16_t port, uint16_t *_Nonnull bound);
/// The next connection of a listening socket, non-blocking, with TCP_NODELAY.
int gate_accept(int listener, uint32_t *_Nonnull address, uint16_t *_Nonnull port);
/// Begins a connection; 1 is written to `pending` when it is not yet established.
int gate_connect(uint32_t address, uint16_t port, int *_Nonnull pending);
/// Whether the other side's system took none of the bytes sent beyond the first `sent` of the connection: then nobody
/// can have acted on them.
int gate_nothing_taken(int descriptor, uint64_t sent);
/// The segments of TCP that a connection received and sent so far.
uint64_t gate_segments(int descriptor);
/// Whether a connection that failed was reset by its other side.
int gate_was_reset(int descriptor);
/// The pending error of a socket (0 when connected).
int gate_socket_error(int descriptor);
/// The address and port that a listening socket has.
int gate_local_name(int descriptor, uint32_t *_Nonnull address, uint16_t *_Nonnull port);
/// Closes with a reset rather than an orderly end.
void gate_reset(int descriptor);

/// A listening Unix stream socket with mode 0600. An old socket file is replaced.
int gate_unix_listen(const char *_Nonnull path);
/// The next Unix connection, non-blocking.
int gate_unix_accept(int listener);

/// A pair of connected packet sockets, the second of which an executed child inherits.
int gate_channel(int *_Nonnull parent, int *_Nonnull child);
/// Sends a packet, with a descriptor unless that is below zero.
int gate_channel_send(int channel, const char *_Nonnull bytes, size_t count, int descriptor);
/// Receives a packet; a descriptor that came along (or -1) is written to `descriptor`. 0 is the end.
ssize_t gate_channel_receive(int channel, char *_Nonnull bytes, size_t capacity, int *_Nonnull descriptor);

/// Gives this thread a descriptor table of its own, with a limit of its own (close_range(2), Linux 5.9). It has what the
/// shared table had under these numbers (ascending), and nothing else. On failure nothing has changed.
int gate_own_descriptors(const int *_Nonnull kept, size_t count);

/// Starts this program again with the given arguments (ended by NULL), signals unblocked, descriptors close-on-exec
/// except `inherited`. The child dies with its parent (SIGTERM). Returns its process id.
int gate_spawn_self(char *const _Nullable *_Nonnull arguments, int inherited);
/// Blocks SIGTERM, SIGINT and SIGCHLD in this thread and returns a descriptor that reports them.
int gate_signals(void);
/// The next signal of that descriptor, or 0.
int gate_next_signal(int descriptor);
/// Reaps the child if it has ended: its process id and wait status, or 0.
int gate_reap(int process, int *_Nonnull status);
/// Raises the limit of open files to the hard limit.
void gate_raise_file_limit(void);
/// Asks for little memory of the allocator: one arena, early trimming.
void gate_tune_allocator(void);
