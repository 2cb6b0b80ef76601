/* Counters that one thread writes and any thread reads, and counters that several write. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

typedef _Atomic uint64_t counter;

/* Only for a counter with one writer: a plain store, so that the vCPU loop pays no locked instruction. */
static inline void count_own(counter *c) {
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void count_shared(counter *c, uint64_t by) {
    atomic_fetch_add_explicit(c, by, memory_order_relaxed);
}

static inline uint64_t counted(counter *c) {
    return atomic_load_explicit(c, memory_order_relaxed);
}

static inline uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Keep the time of the first call; later calls cost one load. */
static inline void stamp_once(counter *c) {
    uint64_t none = 0;
    if (counted(c) == 0)
        atomic_compare_exchange_strong(c, &none, monotonic_ns());
}
