#pragma once
// Datagrams, and connections from a chosen source address. Addresses are in host byte order; results below zero are
// negated errno values.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A bound UDP socket; several may share one address, and the kernel gives each sender to one of them. The bound port
/// is written back.
int gate_udp_listen(uint32_t address, uint16_t port, uint16_t *_Nonnull bound);
/// A UDP socket connected to an address, bound to `source` unless that is 0.
int gate_udp_connect(uint32_t address, uint16_t port, uint32_t source);
/// The next datagram and its sender.
ssize_t gate_udp_receive(
    int descriptor, void *_Nonnull bytes, size_t capacity, uint32_t *_Nonnull address, uint16_t *_Nonnull port);
ssize_t gate_udp_send(int descriptor, const void *_Nonnull bytes, size_t count, uint32_t address, uint16_t port);
/// As `gate_connect`, from an address of this machine.
int gate_connect_from(uint32_t address, uint16_t port, uint32_t source, int *_Nonnull pending);
