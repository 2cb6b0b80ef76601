/* Token buckets for bytes and operations, as in Cloud Hypervisor's rate_limiter_config. No KVM in here. */
#pragma once
#include <pthread.h>
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

/* Limits that several devices share, in a list of all of a machine. */
struct rate_limit_group {
    struct rate_limit_group *next;
    char id[32];
    pthread_mutex_t lock;
    struct rate_limiter limiter;
};

void rate_limiter_init(struct rate_limiter *limiter, const struct nl_rate_limiter *config, uint64_t now_ns);
bool rate_limiter_limits(const struct rate_limiter *limiter);
/* Take one operation and ``bytes``; 0, or, taking nothing, nanoseconds after which to try again. */
uint64_t rate_limiter_take(struct rate_limiter *limiter, uint64_t bytes, uint64_t now_ns);
/* The same of a group; from any thread. */
uint64_t rate_limit_group_take(struct rate_limit_group *group, uint64_t bytes, uint64_t now_ns);
/* One more in front of ``list``; NULL when there is no room for it. The id is cut to what fits. */
struct rate_limit_group *rate_limit_group_add(struct rate_limit_group *list, const char *id,
                                              const struct nl_rate_limiter *config, uint64_t now_ns);
struct rate_limit_group *rate_limit_group_find(struct rate_limit_group *list, const char *id);
void rate_limit_groups_close(struct rate_limit_group *list);
