// See gate_shield.h.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gate_shield.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { block_size = 128, program_max = 2048 };

static struct sock_filter statement(uint16_t code, uint32_t value) {
  struct sock_filter result = {code, 0, 0, value};
  return result;
}

static struct sock_filter jump(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
  struct sock_filter result = {code, if_true, if_false, value};
  return result;
}

int gate_filter_sources(int descriptor, const uint32_t *sources, size_t count) {
  if (count == 0) return gate_filter_none(descriptor);
  if (count > (size_t)GATE_FILTER_MAX) count = (size_t)GATE_FILTER_MAX;
  struct sock_filter program[program_max];
  uint16_t length = 0;
  // The source address of the IPv4 header: the filter's own bytes begin at the TCP header.
  program[length++] = statement(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_NET_OFF + 12));
  for (size_t first = 0; first < count; first += block_size) {
    size_t size = count - first < block_size ? count - first : block_size;
    // A block is passed over when the address lies behind it; its end is a pass and a drop.
    program[length++] = jump(BPF_JMP | BPF_JGT | BPF_K, sources[first + size - 1], 0, 1);
    program[length++] = statement(BPF_JMP | BPF_JA, (uint32_t)size + 5);
    for (size_t index = 0; index < size; index++) {
      // To the drop, which is behind the pass.
      program[length++] = jump(BPF_JMP | BPF_JEQ | BPF_K, sources[first + index], (uint8_t)(size - index), 0);
    }
    program[length++] = statement(BPF_RET | BPF_K, 0xFFFFFFFF);
    program[length++] = statement(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
    program[length++] = jump(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)GATE_FILTER_PROBE - 1, 0, 1);
    program[length++] = statement(BPF_RET | BPF_K, 0);
    program[length++] = statement(BPF_RET | BPF_K, 0xFFFFFFFF);
  }
  program[length++] = statement(BPF_RET | BPF_K, 0xFFFFFFFF);
  struct sock_fprog filter = {length, program};
  if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) return -errno;
  return (int)count;
}

int gate_filter_none(int descriptor) {
  int ignored = 0;
  if (setsockopt(descriptor, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored) < 0 && errno != ENOENT) {
    return -errno;
  }
  return 0;
}

int gate_backlog(int descriptor, uint32_t *waiting, uint32_t *capacity) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -errno;
  // Of a listening socket these two say how full its queue is.
  *waiting = info.tcpi_unacked;
  *capacity = info.tcpi_sacked;
  return 0;
}

void gate_reset_on_close(int descriptor) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int gate_run_nft(const char *text, size_t count) {
  // A file without a name: nft reads it as its input, and no pipe can fill up.
  int input = memfd_create("nft", MFD_CLOEXEC);
  if (input < 0) return -errno;
  size_t written = 0;
  while (written < count) {
    ssize_t step = write(input, text + written, count - written);
    if (step < 0) {
      int error = errno;
      close(input);
      return -error;
    }
    written += (size_t)step;
  }
  lseek(input, 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char *arguments[] = {"nft", "-f", "-", NULL};
  char *environment[] = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL};
  pid_t child = 0;
  int result = posix_spawn(&child, "/usr/sbin/nft", &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(input);
  if (result != 0) return -result;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

uint64_t gate_file_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1024 : limit.rlim_cur;
}
