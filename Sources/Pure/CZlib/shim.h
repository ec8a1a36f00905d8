// zlib, with the macros that Swift does not see as functions.
#pragma once
#include <zlib.h>

/// Begins a gzip file (RFC 1952); 0 is success.
static inline int castle_gzip_begin(z_stream *stream) {
  return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
