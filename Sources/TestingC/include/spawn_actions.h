// What posix_spawn can do here beyond POSIX, for Swift, which does not see glibc's own functions.
#pragma once
#include <spawn.h>

/// The child holds nothing open but 0, 1 and 2, and begins in a folder when one is given. 0 is success, else errno.
int castle_spawn_isolate(posix_spawn_file_actions_t *_Nonnull actions, const char *_Nullable directory);
