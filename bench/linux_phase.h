/* What the programs of linux_block and linux_net share: the lines that begin and end a phase, which linux_phases reads. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline void fail(const char *what) {
    perror(what);
    exit(1);
}

static inline int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* When it began, for phase_end. */
static inline int64_t phase_begin(const char *name) {
    printf("bench: begin %s\n", name);
    return now();
}

static inline void phase_end(const char *name, int64_t start) {
    printf("bench: end %s %lld\n", name, (long long)(now() - start));
}
