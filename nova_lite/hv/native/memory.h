/* Guest memory as devices see it: every access is checked against the regions. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_MEMORY_REGIONS 2

struct memory_region {
    uint64_t start;
    uint64_t size;
    uint8_t *host;
};

struct guest_memory {
    struct memory_region regions[NL_MEMORY_REGIONS];
    unsigned count;
    bool shared; /* not this process' alone: what is dropped of it must be dropped for all */
};

/* The host address of [address, address + size), or NULL unless all of it lies in one region. */
uint8_t *memory_at(const struct guest_memory *memory, uint64_t address, uint64_t size);
bool memory_read(const struct guest_memory *memory, uint64_t address, void *data, size_t size);
bool memory_write(const struct guest_memory *memory, uint64_t address, const void *data, size_t size);
