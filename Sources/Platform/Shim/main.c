// castle-shim: the small parent of one long-running process.
//
// A database or a task must outlive the control plane, and its exit status must not be lost when nobody looks. So the
// control plane starts this program, which leaves it (double fork, session of its own), starts the one child in a
// session of its own with its output appended to a file, and writes a status file: who runs, and later how it ended.
// It holds no secrets after the start, and ends when its child has ended.
//
// Asked to, it starts the child again when a signal ended it (it crashed or was killed), and holds the socket that the
// child listens on: while there is no child, connections wait in the socket's queue and none is refused. That is for
// the control plane; everything else has a control plane to decide on it. The socket is handed over as sd_listen_fds(3)
// describes it: descriptor 3, LISTEN_FDS and LISTEN_PID.
//
// File descriptors at start: 3 the request (NUL-separated key, value, key, value, …), 4 where the answer goes,
// 5 the child's standard input when the request says so. Sources/Platform/Supervisor/ShimRequest.swift is the other side.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 3, ANSWER = 4, INPUT = 5, MOST_GROUPS = 64, MOST_LIMITS = 16 };
enum { CLEANUP_SECONDS = 5 };
enum { LISTENER = 3, BACKLOG = 4096 };
// A child that dies this often in this time is broken, not unlucky.
enum { RESTARTS_MAX = 10, RESTART_WINDOW_SECONDS = 30 };

struct limit {
  int resource;
  rlim_t value;
};

struct request {
  const char *executable;
  const char *directory;
  const char *log;
  const char *status;
  char **arguments;
  char **environment;
  const char **notes;  // lines copied into the status file: id, labels
  size_t argument_count, environment_count, note_count;
  bool change_user, forward, has_input;
  // The child's own children outlive it: the control plane's engines hang on shims of their own.
  bool leaves_descendants;
  /// Start the child again when a signal ended it. One that ends with a code has said why it cannot go on.
  bool respawns;
  /// The address to listen on for the child, or NULL.
  const char *host;
  uint16_t port;
  uid_t user;
  gid_t group;
  gid_t groups[MOST_GROUPS];
  size_t group_count;
  struct limit limits[MOST_LIMITS];
  size_t limit_count;
  mode_t umask;
};

struct failure {
  char stage[16];
  int code;
};

// MARK: - The answer

static void say(const char *text) {
  size_t length = strlen(text);
  while (length > 0) {
    ssize_t n = write(ANSWER, text, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // The control plane is gone; the child is started all the same.
    text += n;
    length -= (size_t)n;
  }
}

static _Noreturn void refuse(const char *stage, int code) {
  char line[64];
  snprintf(line, sizeof line, "error %s %d\n", stage, code);
  say(line);
  _exit(1);
}

// MARK: - The request

static char *read_request(size_t *length) {
  struct stat info;
  if (fstat(REQUEST, &info) != 0) refuse("request", errno);
  char *bytes = malloc((size_t)info.st_size + 2);
  if (bytes == NULL) refuse("request", ENOMEM);
  size_t filled = 0;
  while (filled < (size_t)info.st_size) {
    ssize_t n = pread(REQUEST, bytes + filled, (size_t)info.st_size - filled, (off_t)filled);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    filled += (size_t)n;
  }
  bytes[filled] = 0;
  bytes[filled + 1] = 0;
  *length = filled;
  return bytes;
}

static void add(char ***list, size_t *count, const char *value) {
  char **grown = realloc(*list, (*count + 2) * sizeof(char *));
  if (grown == NULL) refuse("request", ENOMEM);
  grown[(*count)++] = (char *)value;
  grown[*count] = NULL;
  *list = grown;
}

static void take(struct request *r, const char *key, const char *value) {
  if (strcmp(key, "executable") == 0) r->executable = value;
  else if (strcmp(key, "argument") == 0) add(&r->arguments, &r->argument_count, value);
  else if (strcmp(key, "environment") == 0) add(&r->environment, &r->environment_count, value);
  else if (strcmp(key, "note") == 0) add((char ***)&r->notes, &r->note_count, value);
  else if (strcmp(key, "directory") == 0) r->directory = value;
  else if (strcmp(key, "log") == 0) r->log = value;
  else if (strcmp(key, "status") == 0) r->status = value;
  else if (strcmp(key, "umask") == 0) r->umask = (mode_t)strtoul(value, NULL, 8);
  else if (strcmp(key, "forward") == 0) r->forward = true;
  else if (strcmp(key, "input") == 0) r->has_input = true;
  else if (strcmp(key, "leave") == 0) r->leaves_descendants = true;
  else if (strcmp(key, "respawn") == 0) r->respawns = true;
  else if (strcmp(key, "listen-host") == 0) r->host = value;
  else if (strcmp(key, "listen-port") == 0) r->port = (uint16_t)strtoul(value, NULL, 10);
  else if (strcmp(key, "user") == 0) {
    r->change_user = true;
    r->user = (uid_t)strtoul(value, NULL, 10);
  } else if (strcmp(key, "group") == 0) r->group = (gid_t)strtoul(value, NULL, 10);
  else if (strcmp(key, "groups") == 0) {
    if (r->group_count < MOST_GROUPS) r->groups[r->group_count++] = (gid_t)strtoul(value, NULL, 10);
  } else if (strncmp(key, "limit", 5) == 0) {
    int resource = strcmp(key, "limit-nofile") == 0 ? RLIMIT_NOFILE
      : strcmp(key, "limit-core") == 0              ? RLIMIT_CORE
      : strcmp(key, "limit-as") == 0                ? RLIMIT_AS
      : strcmp(key, "limit-data") == 0              ? RLIMIT_DATA
      : strcmp(key, "limit-nproc") == 0             ? RLIMIT_NPROC
                                                    : -1;
    if (resource < 0 || r->limit_count == MOST_LIMITS) refuse("request", EINVAL);
    r->limits[r->limit_count++] = (struct limit){resource, (rlim_t)strtoull(value, NULL, 10)};
  } else refuse("request", EINVAL);
}

static struct request parse(char *bytes, size_t length) {
  struct request r = {.umask = 077};
  add(&r.arguments, &r.argument_count, "");
  r.argument_count = 0;
  add(&r.environment, &r.environment_count, "");
  r.environment_count = 0;
  r.environment[0] = NULL;
  for (size_t at = 0; at < length;) {
    const char *key = bytes + at;
    at += strlen(key) + 1;
    const char *value = at <= length ? bytes + at : "";
    at += strlen(value) + 1;
    take(&r, key, value);
  }
  if (r.executable == NULL || r.status == NULL || r.log == NULL || r.argument_count == 0) refuse("request", EINVAL);
  return r;
}

// MARK: - What is known of a process

/// The start time of a process in clock ticks since boot: field 22 of /proc/PID/stat, behind the name in parentheses.
static unsigned long long start_time(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *at = strrchr(text, ')');
  if (at == NULL) return 0;
  for (int field = 2; field < 22; field++) {
    at = strchr(at + 1, ' ');
    if (at == NULL) return 0;
  }
  return strtoull(at + 1, NULL, 10);
}

static long long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct record {
  pid_t shim, child;
  unsigned long long shim_start, child_start;
  long long started, ended;
  char boot[64];
  bool over;
  int status;
};

/// Writes the status file beside itself and renames it, so that a reader sees all of it or the one before.
static int write_status(const struct request *r, const struct record *record) {
  char temporary[4200];
  if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", r->status) >= sizeof temporary) return ENAMETOOLONG;
  FILE *file = fopen(temporary, "we");
  if (file == NULL) return errno;
  fchmod(fileno(file), 0600);
  fprintf(file, "castle-shim 1\nboot %s\n", record->boot);
  fprintf(file, "shim %d %llu\nchild %d %llu\n", (int)record->shim, record->shim_start, (int)record->child,
          record->child_start);
  fprintf(file, "started %lld\nlog %s\n", record->started, r->log);
  if (r->respawns) fprintf(file, "respawns 1\n");
  for (size_t i = 0; i < r->note_count; i++) fprintf(file, "%s\n", r->notes[i]);
  if (record->over) {
    if (WIFSIGNALED(record->status)) fprintf(file, "signal %d %d\n", WTERMSIG(record->status), WCOREDUMP(record->status) ? 1 : 0);
    else fprintf(file, "code %d\n", WEXITSTATUS(record->status));
    fprintf(file, "ended %lld\n", record->ended);
  }
  int code = ferror(file) ? EIO : 0;
  if (fclose(file) != 0 && code == 0) code = errno;
  if (code == 0 && rename(temporary, r->status) != 0) code = errno;
  if (code != 0) unlink(temporary);
  return code;
}

// MARK: - The socket

/// Listens on an IPv4 or IPv6 address. The descriptor, or -errno.
static int listen_on(const char *host, uint16_t port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  bool is_four = inet_pton(AF_INET, host, &four.sin_addr) == 1;
  if (!is_four && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) return -EADDRNOTAVAIL;
  int low = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (low < 0) return -errno;
  // Above the descriptors that have a meaning here.
  int fd = fcntl(low, F_DUPFD_CLOEXEC, 10);
  int code = errno, on = 1;
  close(low);
  if (fd < 0) return -code;
  const struct sockaddr *address = is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      bind(fd, address, is_four ? sizeof four : sizeof six) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  code = errno;
  close(fd);
  return -code;
}

/// Gives the child the socket and says so in its environment.
static bool pass_listener(struct request *r, int listener) {
  static char name[32];
  snprintf(name, sizeof name, "LISTEN_PID=%d", (int)getpid());
  add(&r->environment, &r->environment_count, "LISTEN_FDS=1");
  add(&r->environment, &r->environment_count, name);
  return dup2(listener, LISTENER) == LISTENER;
}

// MARK: - The child

static _Noreturn void fail(int channel, const char *stage) {
  struct failure failure = {.code = errno};
  strncpy(failure.stage, stage, sizeof failure.stage - 1);
  (void)!write(channel, &failure, sizeof failure);
  _exit(127);
}

static void apply_limits(const struct request *r, int channel) {
  for (size_t i = 0; i < r->limit_count; i++) {
    struct rlimit now, wanted = {r->limits[i].value, r->limits[i].value};
    if (getrlimit(r->limits[i].resource, &now) != 0) fail(channel, "limit");
    // Without CAP_SYS_RESOURCE a limit cannot be raised: what is allowed is taken.
    if (now.rlim_max != RLIM_INFINITY && wanted.rlim_max > now.rlim_max) wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
    if (setrlimit(r->limits[i].resource, &wanted) != 0) fail(channel, "limit");
  }
}

static _Noreturn void become(struct request *r, int log, int listener, int channel) {
  setsid();
  if (!r->has_input) {
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0) fail(channel, "input");
  } else if (dup2(INPUT, 0) < 0) fail(channel, "input");
  if (dup2(log, 1) < 0 || dup2(log, 2) < 0) fail(channel, "log");
  // The log and the channel are above the listener's number, or it would take theirs.
  if (listener >= 0 && !pass_listener(r, listener)) fail(channel, "listen");
  syscall(SYS_close_range, listener >= 0 ? LISTENER + 1u : 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);

  apply_limits(r, channel);
  umask(r->umask);
  if (r->change_user) {
    if (setgroups(r->group_count, r->groups) != 0 || setresgid(r->group, r->group, r->group) != 0) fail(channel, "group");
    if (setresuid(r->user, r->user, r->user) != 0) fail(channel, "user");
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (r->directory != NULL && chdir(r->directory) != 0) fail(channel, "directory");

  // Ignored signals and the mask would survive exec.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  environ = r->environment;
  execvp(r->executable, r->arguments);
  fail(channel, "exec");
}

// MARK: - After the child

/// Ends what the child left behind: its descendants were re-parented to us (subreaper), whatever session they are in.
static void end_descendants(pid_t child) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  long long deadline = milliseconds() + CLEANUP_SECONDS * 1000;
  kill(-child, SIGKILL);
  while (milliseconds() < deadline) {
    pid_t reaped;
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (reaped < 0 && errno == ECHILD) return;
    FILE *list = fopen(path, "re");
    if (list != NULL) {
      int pid;
      while (fscanf(list, "%d", &pid) == 1) kill(pid, SIGKILL);
      fclose(list);
    }
    struct timespec wait = {0, 100000000};
    sigtimedwait(&set, NULL, &wait);
  }
}

/// Waits for the child, reaping everything that comes by.
static int await_child(const struct request *r, pid_t child, const sigset_t *all) {
  for (;;) {
    int status;
    pid_t reaped;
    while ((reaped = waitpid(-1, &status, WNOHANG)) > 0)
      if (reaped == child) return status;
    if (reaped < 0 && errno == ECHILD) return 0;
    int number = sigwaitinfo(all, NULL);
    if (number > 0 && number != SIGCHLD && number != SIGPIPE && number != SIGHUP && r->forward) kill(child, number);
  }
}

static void read_boot(char boot[64]) {
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, boot, 63);
  if (fd >= 0) close(fd);
  boot[n > 0 ? n : 0] = 0;
  boot[strcspn(boot, "\n")] = 0;
}

/// Starts the child. Its pid, or -errno with the stage that failed.
static pid_t start_child(struct request *r, int log, int listener, struct failure *failure) {
  int ends[2], channel[2];
  *failure = (struct failure){.stage = "pipe"};
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  for (int i = 0; i < 2; i++) {
    channel[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 10);
    int code = errno;
    close(ends[i]);
    if (channel[i] < 0) return -code;
  }
  strcpy(failure->stage, "fork");
  pid_t child = fork();
  int code = errno;
  if (child == 0) become(r, log, listener, channel[1]);
  close(channel[1]);
  ssize_t n = 0;
  if (child > 0) {
    do n = read(channel[0], failure, sizeof *failure);
    while (n < 0 && errno == EINTR);
  }
  close(channel[0]);
  if (child < 0) return -code;
  if (n != (ssize_t)sizeof *failure) return child;
  waitpid(child, NULL, 0);
  return failure->code > 0 ? -failure->code : -EIO;
}

static int note_start(const struct request *r, struct record *record, pid_t child) {
  record->child = child;
  record->child_start = start_time(child);  // A zombie still has one: the child is not reaped yet.
  record->started = milliseconds();
  record->over = false;
  return write_status(r, record);
}

/// Whether an ended child is to be started again: it did not mean to end, and has not been cut off too often of late.
static bool starts_again(const struct request *r, int status, long long ends[RESTARTS_MAX], int *count) {
  if (!r->respawns || !WIFSIGNALED(status)) return false;
  long long now = milliseconds(), *oldest = &ends[(*count)++ % RESTARTS_MAX];
  bool may = now - *oldest > RESTART_WINDOW_SECONDS * 1000LL;
  *oldest = now;
  return may;
}

static _Noreturn void supervise(struct request *r, int log) {
  int listener = -1;
  if (r->host != NULL && (listener = listen_on(r->host, r->port)) < 0) refuse("listen", -listener);
  struct failure failure;
  pid_t child = start_child(r, log, listener, &failure);
  if (child < 0) refuse(failure.stage, -child);
  if (!r->respawns) {
    close(log);
    if (listener >= 0) close(listener);
  }

  struct record record = {.shim = getpid()};
  record.shim_start = start_time(record.shim);
  read_boot(record.boot);
  int code = note_start(r, &record, child);
  if (code != 0) {
    kill(child, SIGKILL);
    refuse("status", code);
  }
  char line[160];
  snprintf(line, sizeof line, "ok %d %llu %d %llu %lld\n", (int)child, record.child_start, (int)record.shim,
           record.shim_start, record.started);
  say(line);
  close(REQUEST);
  close(ANSWER);
  close(INPUT);
  // The environment may hold secrets; only a child that is started again needs it any more.
  if (!r->respawns)
    for (size_t i = 0; i < r->environment_count; i++) explicit_bzero(r->environment[i], strlen(r->environment[i]));
  malloc_trim(0);

  sigset_t all;
  sigfillset(&all);
  long long ends[RESTARTS_MAX] = {0};
  for (int count = 0;;) {
    record.status = await_child(r, child, &all);
    record.over = true;
    record.ended = milliseconds();
    if (!starts_again(r, record.status, ends, &count)) break;
    child = start_child(r, log, listener, &failure);
    if (child < 0 || note_start(r, &record, child) != 0) break;
  }
  code = write_status(r, &record);
  if (!r->leaves_descendants) end_descendants(record.child);
  _exit(code == 0 ? 0 : 1);
}

int main(void) {
  size_t length;
  char *bytes = read_request(&length);
  struct request request = parse(bytes, length);

  // Leave the control plane: it reaps this process at once, and the one that stays belongs to init.
  pid_t stays = fork();
  if (stays < 0) refuse("fork", errno);
  if (stays > 0) _exit(0);
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (!request.leaves_descendants) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  syscall(SYS_close_range, 6u, ~0u, 0u);

  int low = open(request.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
  int log = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 10);
  if (log < 0) refuse("log", errno);
  close(low);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; null >= 0 && fd < 3; fd++) dup2(null, fd);
  if (null > 5) close(null);
  if (chdir("/") != 0) refuse("directory", errno);
  supervise(&request, log);
}
