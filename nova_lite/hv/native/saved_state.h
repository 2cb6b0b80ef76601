/* What a machine is beside its memory, as bytes that outlive the process: records of tag, index and content. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct saved_state {
    uint8_t *data;
    size_t size, room;
    bool incomplete; /* there was no memory for some of it */
};

#define SAVED_TAG(text) ((uint32_t)(text)[0] | (uint32_t)(text)[1] << 8 | (uint32_t)(text)[2] << 16 | (uint32_t)(text)[3] << 24)

void saved_put(struct saved_state *state, uint32_t tag, uint32_t index, const void *content, size_t size);
/* The record of ``size`` bytes, or of any size when that is 0 (told in ``found``); NULL when there is none. */
const void *saved_get(const struct saved_state *state, uint32_t tag, uint32_t index, size_t size, size_t *found);
/* Copies a record of just this size; false when there is none. */
bool saved_copy(const struct saved_state *state, uint32_t tag, uint32_t index, void *content, size_t size);
void saved_free(struct saved_state *state);
