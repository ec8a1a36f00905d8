// CRC-32C by the processor's own instruction: SSE 4.2 on x86-64, the CRC32 extension on arm64.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether this processor has the instruction.
bool castle_has_crc32c(void);

/// The state after some more bytes: reflected, neither inverted before nor after. Only where `castle_has_crc32c`.
uint32_t castle_crc32c(uint32_t state, const void *bytes, size_t count);
