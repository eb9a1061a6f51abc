/* Makes a directory look like a full disk, for tests where nothing can be mounted. While FULL_DISK/.ballast exists,
   no file below FULL_DISK grows and none begins: ENOSPC, as from a file system. What is there can be overwritten. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_full(const char *path) {
  const char *disk = getenv("FULL_DISK");
  char ballast[4096];
  if (disk == NULL || strncmp(path, disk, strlen(disk)) != 0) return 0;
  snprintf(ballast, sizeof ballast, "%s.ballast", disk);
  return access(ballast, F_OK) == 0;
}

static int grows(int file, off_t end) {
  char link[64], path[4096];
  struct stat now;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_full(path) && fstat(file, &now) == 0 && S_ISREG(now.st_mode) && end > now.st_size;
}

static int refused(void) {
  errno = ENOSPC;
  return -1;
}

static off_t after(int file, size_t count) {
  struct stat now;
  int flags = fcntl(file, F_GETFL);
  off_t at = flags >= 0 && (flags & O_APPEND) && fstat(file, &now) == 0 ? now.st_size : lseek(file, 0, SEEK_CUR);
  return at < 0 ? 0 : at + (off_t)count;
}

ssize_t write(int file, const void *data, size_t count) {
  return grows(file, after(file, count)) ? refused() : REAL(write)(file, data, count);
}

ssize_t pwrite(int file, const void *data, size_t count, off_t at) {
  return grows(file, at + (off_t)count) ? refused() : REAL(pwrite)(file, data, count, at);
}

ssize_t pwrite64(int file, const void *data, size_t count, off64_t at) {
  return grows(file, at + (off_t)count) ? refused() : REAL(pwrite64)(file, data, count, at);
}

static int begins(int directory, const char *path, int flags) {
  char whole[4096];
  if (!(flags & O_CREAT) || directory != AT_FDCWD || access(path, F_OK) == 0) return 0;
  if (path[0] == '/') return is_full(path);
  if (getcwd(whole, sizeof whole) == NULL || strlen(whole) + strlen(path) + 2 > sizeof whole) return 0;
  strcat(strcat(whole, "/"), path);
  return is_full(whole);
}

#define OPEN(name)                                                         \
  int name(const char *path, int flags, ...) {                             \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    mode_t mode = va_arg(rest, mode_t);                                    \
    va_end(rest);                                                          \
    return begins(AT_FDCWD, path, flags) ? refused() : REAL(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                       \
  int name(int directory, const char *path, int flags, ...) {              \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    mode_t mode = va_arg(rest, mode_t);                                    \
    va_end(rest);                                                          \
    return begins(directory, path, flags) ? refused() : REAL(name)(directory, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

#define STATVFS(name)                                                      \
  int name(const char *path, struct name *found) {                         \
    int outcome = REAL(name)(path, found);                                 \
    if (outcome == 0 && is_full(path)) found->f_bavail = found->f_bfree = 0; \
    return outcome;                                                        \
  }
STATVFS(statvfs)
STATVFS(statvfs64)
