/* Unpacks one block of lz4, the packing of many kernels. The block is hostile: nothing outside of both buffers is
 * touched, whatever it says (lz4, doc/lz4_Block_format.md). */
#include <string.h>

#include "interface.h"

#define LEAST_MATCH 4

/* A length of 15 in the token goes on in bytes, up to the first that is not 255. False when the input ends. */
static int more_length(const uint8_t **in, const uint8_t *end, size_t *length) {
    uint8_t byte;
    if (*length != 15)
        return 1;
    do {
        if (*in == end)
            return 0;
        byte = *(*in)++;
        *length += byte;
    } while (byte == 255);
    return 1;
}

int64_t nl_lz4_block(const void *packed, size_t packed_size, void *unpacked, size_t room) {
    const uint8_t *in = packed, *in_end = in + packed_size;
    uint8_t *start = unpacked, *out = start, *out_end = out + room;
    while (in < in_end) {
        uint8_t token = *in++;
        size_t literals = token >> 4, match = token & 15;
        if (!more_length(&in, in_end, &literals) || literals > (size_t)(in_end - in) ||
            literals > (size_t)(out_end - out))
            return -1;
        memcpy(out, in, literals);
        in += literals;
        out += literals;
        if (in == in_end) /* the last sequence has no match */
            return out - start;
        if (in_end - in < 2)
            return -1;
        size_t distance = (size_t)in[0] | (size_t)in[1] << 8;
        in += 2;
        if (!more_length(&in, in_end, &match))
            return -1;
        match += LEAST_MATCH;
        if (distance == 0 || distance > (size_t)(out - start) || match > (size_t)(out_end - out))
            return -1;
        if (distance >= match) {
            memcpy(out, out - distance, match);
            out += match;
        } else { /* the match runs into what it makes */
            for (const uint8_t *from = out - distance; match > 0; match--)
                *out++ = *from++;
        }
    }
    return -1;
}
