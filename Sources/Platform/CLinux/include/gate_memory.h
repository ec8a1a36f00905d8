#pragma once
// Memory for TLS: OpenSSL takes and gives back blocks of many kilobytes with every record and every handshake, which in
// a program with threads costs locks and atomic operations. Each thread keeps some of them for itself.

#include <stddef.h>

/// As malloc, realloc and free; `file` and `line` are OpenSSL's and not used.
void *_Nullable gate_cached_malloc(size_t size, const char *_Nullable file, int line);
void *_Nullable gate_cached_realloc(void *_Nullable block, size_t size, const char *_Nullable file, int line);
void gate_cached_free(void *_Nullable block, const char *_Nullable file, int line);
