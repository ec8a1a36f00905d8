// Files: what Swift's Glibc module does not reach.
#pragma once
#include <stdint.h>

/// Gives the disk space of a part of a file back; its length and what is read elsewhere stay. 0 or -errno.
int castle_punch_hole(int fd, int64_t start, int64_t length);
