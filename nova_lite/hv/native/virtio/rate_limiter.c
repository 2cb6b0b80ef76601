/* Token buckets: a bucket starts full, with a burst on top that is not refilled. */
#include "virtio/rate_limiter.h"

static void bucket_init(struct token_bucket *bucket, const struct nl_token_bucket *config, uint64_t now_ns) {
    bool limits = config->size > 0 && config->refill_ms > 0;
    *bucket = (struct token_bucket){.size = limits ? config->size : 0,
                                    .refill_ns = config->refill_ms * 1000000u,
                                    .burst = config->one_time_burst,
                                    .burst_left = config->one_time_burst,
                                    .tokens = (int64_t)config->size,
                                    .refilled_ns = now_ns};
}

void rate_limiter_init(struct rate_limiter *limiter, const struct nl_rate_limiter *config, uint64_t now_ns) {
    bucket_init(&limiter->bytes, &config->bandwidth, now_ns);
    bucket_init(&limiter->operations, &config->ops, now_ns);
}

bool rate_limiter_limits(const struct rate_limiter *limiter) {
    return limiter->bytes.size > 0 || limiter->operations.size > 0;
}

static void refill(struct token_bucket *bucket, uint64_t now_ns) {
    if (now_ns <= bucket->refilled_ns)
        return;
    uint64_t passed = now_ns - bucket->refilled_ns;
    unsigned __int128 come = (unsigned __int128)passed * bucket->size / bucket->refill_ns;
    if (come == 0)
        return;
    unsigned __int128 missing = (unsigned __int128)((__int128)bucket->size - bucket->tokens);
    if (come >= missing) {
        bucket->tokens = (int64_t)bucket->size;
        bucket->refilled_ns = now_ns;
    } else { /* only the time that whole tokens took is over */
        bucket->tokens += (int64_t)come;
        bucket->refilled_ns += (uint64_t)(come * bucket->refill_ns / bucket->size);
    }
}

/* How many tokens must be there before ``amount`` may be taken: a request beyond the bucket's size waits for a full
 * bucket and leaves a debt, else it would wait for ever. */
static uint64_t wait_for(struct token_bucket *bucket, uint64_t amount, uint64_t now_ns) {
    if (bucket->size == 0 || amount == 0)
        return 0;
    refill(bucket, now_ns);
    uint64_t beyond_burst = amount > bucket->burst_left ? amount - bucket->burst_left : 0;
    int64_t needed = (int64_t)(beyond_burst < bucket->size ? beyond_burst : bucket->size);
    if (bucket->tokens >= needed)
        return 0;
    unsigned __int128 missing = (unsigned __int128)((__int128)needed - bucket->tokens);
    return (uint64_t)(missing * bucket->refill_ns / bucket->size) + 1;
}

static void take(struct token_bucket *bucket, uint64_t amount) {
    if (bucket->size == 0)
        return;
    uint64_t from_burst = amount < bucket->burst_left ? amount : bucket->burst_left;
    bucket->burst_left -= from_burst;
    bucket->tokens -= (int64_t)(amount - from_burst);
}

uint64_t rate_limiter_take(struct rate_limiter *limiter, uint64_t bytes, uint64_t now_ns) {
    uint64_t for_bytes = wait_for(&limiter->bytes, bytes, now_ns);
    uint64_t for_operation = wait_for(&limiter->operations, 1, now_ns);
    if (for_bytes > 0 || for_operation > 0)
        return for_bytes > for_operation ? for_bytes : for_operation;
    take(&limiter->bytes, bytes);
    take(&limiter->operations, 1);
    return 0;
}
