/* Token buckets for bytes and operations, as in Cloud Hypervisor's rate_limiter_config. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "interface.h"

struct token_bucket {
    uint64_t size, refill_ns; /* ``size`` tokens come in ``refill_ns``; size 0: no limit */
    uint64_t burst, burst_left;
    int64_t tokens; /* below 0 after a request larger than the bucket: a debt, paid off before the next one */
    uint64_t refilled_ns;
};

struct rate_limiter {
    struct token_bucket bytes, operations;
};

void rate_limiter_init(struct rate_limiter *limiter, const struct nl_rate_limiter *config, uint64_t now_ns);
bool rate_limiter_limits(const struct rate_limiter *limiter);
/* Take one operation and ``bytes``; 0, or, taking nothing, nanoseconds after which to try again. */
uint64_t rate_limiter_take(struct rate_limiter *limiter, uint64_t bytes, uint64_t now_ns);
