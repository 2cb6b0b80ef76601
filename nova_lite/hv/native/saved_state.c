/* Records one after another, each behind a head of 16 bytes. What is read may be anybody's: every size is checked. */
#include "saved_state.h"

#include <stdlib.h>
#include <string.h>

struct head {
    uint32_t tag, index;
    uint64_t size;
};

void saved_put(struct saved_state *state, uint32_t tag, uint32_t index, const void *content, size_t size) {
    struct head head = {.tag = tag, .index = index, .size = size};
    size_t needed = state->size + sizeof(head) + size;
    if (needed > state->room) {
        size_t room = needed + needed / 2 + 4096;
        uint8_t *data = realloc(state->data, room);
        if (data == NULL) {
            state->incomplete = true;
            return;
        }
        state->data = data;
        state->room = room;
    }
    memcpy(state->data + state->size, &head, sizeof(head));
    if (size > 0)
        memcpy(state->data + state->size + sizeof(head), content, size);
    state->size = needed;
}

const void *saved_get(const struct saved_state *state, uint32_t tag, uint32_t index, size_t size, size_t *found) {
    struct head head;
    for (size_t at = 0; state->size - at >= sizeof(head); at += sizeof(head) + head.size) {
        memcpy(&head, state->data + at, sizeof(head));
        if (head.size > state->size - at - sizeof(head))
            return NULL;
        if (head.tag != tag || head.index != index)
            continue;
        if (size != 0 && head.size != size)
            return NULL;
        if (found != NULL)
            *found = (size_t)head.size;
        return state->data + at + sizeof(head);
    }
    return NULL;
}

bool saved_copy(const struct saved_state *state, uint32_t tag, uint32_t index, void *content, size_t size) {
    const void *record = saved_get(state, tag, index, size, NULL);
    if (record != NULL)
        memcpy(content, record, size);
    return record != NULL;
}

void saved_free(struct saved_state *state) {
    free(state->data);
    *state = (struct saved_state){0};
}
