#include "CChecksum.h"
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#define WITH_CRC __attribute__((target("sse4.2")))
#define CRC8(state, word) ((uint32_t)_mm_crc32_u64(state, word))
#define CRC1(state, byte) _mm_crc32_u8(state, byte)

static bool ask(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) != 0;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define WITH_CRC __attribute__((target("crc")))
#define CRC8(state, word) __builtin_arm_crc32cd(state, word)
#define CRC1(state, byte) __builtin_arm_crc32cb(state, byte)

// HWCAP_CRC32 of <asm/hwcap.h>
static bool ask(void) { return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; }
#endif

#ifdef WITH_CRC

bool castle_has_crc32c(void) {
  // 0 not asked yet, 1 no, 2 yes. In a virtual machine cpuid leaves the machine, which takes a thousand times longer.
  static _Atomic int known;
  int answer = known;
  if (answer == 0) known = answer = ask() ? 2 : 1;
  return answer == 2;
}

WITH_CRC uint32_t castle_crc32c(uint32_t state, const void *bytes, size_t count) {
  const unsigned char *at = bytes;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    state = CRC8(state, word);
  }
  for (; count > 0; count--, at++) state = CRC1(state, *at);
  return state;
}

#else

bool castle_has_crc32c(void) { return false; }

uint32_t castle_crc32c(uint32_t state, const void *bytes, size_t count) {
  (void)bytes;
  (void)count;
  return state;
}

#endif
