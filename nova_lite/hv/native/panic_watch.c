/* Linux, kernel/panic.c: its last line, printed when no restart follows: "---[ end Kernel panic - not syncing: WHY ]---".
 * Whoever may write to the guest's console can print it as well: it is a hint to look closer, no more. */
#include "panic_watch.h"

#include <string.h>

static const char mark[] = "---[ end Kernel panic - not syncing: ";
static const char tail[] = " ]---";

bool panic_watch_byte(struct panic_watch *watch, uint8_t byte, uint8_t *reason, uint32_t room, uint32_t *size) {
    if (byte != '\n') {
        if (watch->size < sizeof(watch->line))
            watch->line[watch->size++] = (char)byte;
        return false;
    }
    size_t length = watch->size;
    watch->size = 0;
    if (length < sizeof(mark) - 1 || atomic_load(&watch->found))
        return false;
    const char *at = memmem(watch->line, length, mark, sizeof(mark) - 1);
    if (at == NULL)
        return false;
    at += sizeof(mark) - 1;
    length -= (size_t)(at - watch->line);
    const char *end = memmem(at, length, tail, sizeof(tail) - 1);
    if (end != NULL)
        length = (size_t)(end - at);
    *size = length < room ? (uint32_t)length : room;
    memcpy(reason, at, *size);
    atomic_store(&watch->found, true);
    return true;
}
