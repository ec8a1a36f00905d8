// Blocks that a thread keeps for itself. See gate_memory.h.
#include "gate_memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Smaller ones the C library itself keeps for each thread, larger ones are rare.
enum { smallest = 1024, largest = 20 << 10, step = 512, classes = (largest - smallest) / step + 1 };
// Bytes of one class that a thread keeps at most.
enum { kept_most = 192 << 10 };

struct free_block {
  struct free_block *next;
};

struct size_class {
  struct free_block *first;
  uint32_t bytes;
};

static __thread struct size_class cache[classes];

static size_t size_of(int number) { return smallest + (size_t)number * step; }

void *gate_cached_malloc(size_t size, const char *file, int line) {
  (void)file, (void)line;
  if (size <= smallest || size > largest) return malloc(size);
  int number = (int)((size - smallest + step - 1) / step);
  struct size_class *own = &cache[number];
  struct free_block *block = own->first;
  if (!block) return malloc(size_of(number));
  own->first = block->next;
  own->bytes -= (uint32_t)size_of(number);
  return block;
}

void gate_cached_free(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (!block) return;
  size_t usable = malloc_usable_size(block);
  if (usable > smallest && usable < largest + step) {
    // What a block is good for is its size rounded down; it may have come from anywhere.
    int number = (int)((usable - smallest) / step);
    if (number >= classes) number = classes - 1;
    struct size_class *own = &cache[number];
    if (own->bytes + size_of(number) <= kept_most) {
      struct free_block *freed = block;
      freed->next = own->first;
      own->first = freed;
      own->bytes += (uint32_t)size_of(number);
      return;
    }
  }
  free(block);
}

void *gate_cached_realloc(void *block, size_t size, const char *file, int line) {
  if (!block) return gate_cached_malloc(size, file, line);
  if (size == 0) {
    gate_cached_free(block, file, line);
    return NULL;
  }
  return realloc(block, size);
}
