#define _GNU_SOURCE
#include "castle_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

int castle_punch_hole(int fd, int64_t start, int64_t length) {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, length) == 0 ? 0 : -errno;
}
