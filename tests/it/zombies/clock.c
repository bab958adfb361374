/* The wall clock as one process sees it: off by as many seconds as the file says that CLOCK_IS_OFF_BY names. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int told = syscall(SYS_clock_gettime, clock, time);
    const char *name = getenv("CLOCK_IS_OFF_BY");
    if (told != 0 || clock != CLOCK_REALTIME || !name) return told;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    if (file < 0) return told;
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    close(file);
    return told;
}
