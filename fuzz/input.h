/* What libFuzzer gives, taken piece by piece. */
#pragma once
#include <stdint.h>

struct input {
    const uint8_t *at, *end;
};

/* The next ``size`` bytes, at most 4, as a little-endian number; what is beyond the end is 0. */
static inline uint32_t take(struct input *input, unsigned size) {
    uint32_t value = 0;
    for (unsigned i = 0; i < size && input->at < input->end; i++)
        value |= (uint32_t)*input->at++ << (8 * i);
    return value;
}
