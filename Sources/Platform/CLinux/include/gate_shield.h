#pragma once
// Refusing sources in the kernel, before they cost a connection: classic BPF on listening sockets, which needs no
// privilege. Results below zero are negated errno values.

#include <stddef.h>
#include <stdint.h>

/// The most sources that one socket refuses in the kernel.
static const int GATE_FILTER_MAX = 1024;
/// One in this many packets of refused sources passes, so that what they go on doing is seen.
static const int GATE_FILTER_PROBE = 32;

/// Drops what comes from these sources (ascending, host byte order) to a listening socket. Accepted sockets inherit the
/// filter, so it is for sources that have no connections left. At most `GATE_FILTER_MAX`; the rest is left out.
int gate_filter_sources(int descriptor, const uint32_t *_Nonnull sources, size_t count);
/// Lets everything pass again.
int gate_filter_none(int descriptor);
/// The connections that wait in a listening socket's queue, and how many it holds at most.
int gate_backlog(int descriptor, uint32_t *_Nonnull waiting, uint32_t *_Nonnull capacity);
/// Closing the socket will reset the connection.
void gate_reset_on_close(int descriptor);
/// Runs `nft -f -` with this text: 0, nft's status, or a negated errno value.
int gate_run_nft(const char *_Nonnull text, size_t count);
/// How many descriptors this process may have.
uint64_t gate_file_limit(void);
