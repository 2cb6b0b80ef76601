/* Checked access to guest memory. */
#include "memory.h"

#include <string.h>

uint8_t *memory_at(const struct guest_memory *memory, uint64_t address, uint64_t size) {
    for (unsigned i = 0; i < memory->count; i++) {
        const struct memory_region *region = &memory->regions[i];
        if (address < region->start)
            continue;
        uint64_t offset = address - region->start;
        if (offset <= region->size && size <= region->size - offset)
            return region->host + offset;
    }
    return NULL;
}

bool memory_read(const struct guest_memory *memory, uint64_t address, void *data, size_t size) {
    const uint8_t *source = memory_at(memory, address, size);
    if (source == NULL)
        return false;
    memcpy(data, source, size);
    return true;
}

bool memory_write(const struct guest_memory *memory, uint64_t address, const void *data, size_t size) {
    uint8_t *target = memory_at(memory, address, size);
    if (target == NULL)
        return false;
    memcpy(target, data, size);
    return true;
}
