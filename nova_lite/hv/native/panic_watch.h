/* Looks in the console's output for the line that Linux ends a panic with. No KVM in here. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PANIC_LINE_SIZE 192

struct panic_watch {
    char line[PANIC_LINE_SIZE]; /* the present line's beginning, as much as there is room for */
    size_t size;
    _Atomic bool found; /* not looked for again until it is cleared */
};

/* Takes a byte of output; true with the line that tells of a panic, whose reason is put into ``reason`` (``room`` bytes,
 * cut to fit) and its size into ``size``. */
bool panic_watch_byte(struct panic_watch *watch, uint8_t byte, uint8_t *reason, uint32_t room, uint32_t *size);
