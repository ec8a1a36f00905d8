#define _GNU_SOURCE
#include "spawn_actions.h"

int castle_spawn_isolate(posix_spawn_file_actions_t *actions, const char *directory) {
  int result = directory ? posix_spawn_file_actions_addchdir_np(actions, directory) : 0;
  return result ? result : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}
