/* Guest RAM: anonymous memory, mapped once, with a hole in the guest's addresses below 4 GiB. */
#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "machine.h"

#define LOW_MEMORY_END (3ull << 30)
#define HIGH_MEMORY_START (4ull << 30)
#define HUGE_PAGE (2ull << 20)
#define SMALL_PAGE 4096u
/* A guest smaller than this touches a byte here and there, and each must not cost 2 MiB. A larger one has an operating
 * system that soon touches everything: with small pages, each first touch is an exit from the guest. */
#define HUGE_PAGES_FROM (128ull << 20)

/* Aligned in the host as it is in the guest: only then does one huge page back the other. */
static uint8_t *map_aligned(uint64_t size, int flags) {
    uint64_t room = size + HUGE_PAGE;
    uint8_t *start = mmap(NULL, room, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    uint8_t *host = (uint8_t *)(((uintptr_t)start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (host > start)
        munmap(start, (size_t)(host - start));
    if (start + room > host + size)
        munmap(host + size, (size_t)(start + room - host - size));
    return host;
}

static int map_flags(const struct nl_memory_config *config) {
    int flags = MAP_ANONYMOUS | (config->shared ? MAP_SHARED : MAP_PRIVATE);
    if (config->hugepage_size > 0) /* reserved always: a guest that finds none later would end the VMM by SIGBUS */
        return flags | MAP_HUGETLB | __builtin_ctzll(config->hugepage_size) << MAP_HUGE_SHIFT;
    return config->reserve ? flags : flags | MAP_NORESERVE;
}

static uint8_t *map(const struct nl_memory_config *config) {
    if (config->hugepage_size == 0)
        return map_aligned(config->size, map_flags(config));
    void *host = mmap(NULL, config->size, PROT_READ | PROT_WRITE, map_flags(config), -1, 0); /* is aligned */
    return host == MAP_FAILED ? NULL : host;
}

static int touch(uint8_t *host, uint64_t size) {
    if (madvise(host, size, MADV_POPULATE_WRITE) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    for (uint64_t at = 0; at < size; at += SMALL_PAGE) /* a kernel older than 5.14 */
        *(volatile uint8_t *)(host + at) = 0;
    return 0;
}

/* What the memory shall be like, told to the host: once it is mapped, and again when it was mapped anew. */
static int advise(const struct nl_memory_config *config, uint8_t *host, struct nl_error *error) {
    /* No core dump of this process may hold a guest's secrets. These are wishes; a kernel that refuses them is no
     * reason to stop. */
    if (config->hugepage_size == 0)
        madvise(host, config->size, config->size < HUGE_PAGES_FROM || !config->thp ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    madvise(host, config->size, MADV_DONTDUMP);
    if (config->mergeable && madvise(host, config->size, MADV_MERGEABLE) < 0)
        return fail(error, errno, "have guest memory merged");
    int result = config->prefault ? touch(host, config->size) : 0;
    return result < 0 ? fail(error, -result, "get guest memory before the guest runs") : 0;
}

int guest_ram_create(struct nl_machine *machine, struct nl_error *error) {
    const struct nl_memory_config *config = &machine->memory_config;
    uint64_t size = config->size;
    uint8_t *host = size > INT64_MAX - HUGE_PAGE ? NULL : map(config);
    if (host == NULL)
        return fail(error, size > INT64_MAX - HUGE_PAGE ? EFBIG : errno,
                    config->hugepage_size > 0 ? "get guest memory of the host's reserved huge pages" : "map guest memory");
    uint64_t low = size < LOW_MEMORY_END ? size : LOW_MEMORY_END;
    machine->memory.shared = config->shared;
    machine->memory.regions[0] = (struct memory_region){.start = 0, .size = low, .host = host};
    machine->memory.count = 1;
    if (size > low) {
        machine->memory.regions[1] =
            (struct memory_region){.start = HIGH_MEMORY_START, .size = size - low, .host = host + low};
        machine->memory.count = 2;
    }
    return advise(config, host, error);
}

int guest_ram_empty(struct nl_machine *machine, struct nl_error *error) {
    const struct nl_memory_config *config = &machine->memory_config;
    uint8_t *host = machine->memory.regions[0].host;
    if (!config->shared && config->hugepage_size == 0) {
        if (madvise(host, config->size, MADV_DONTNEED) < 0)
            return fail(error, errno, "empty guest memory");
        return config->prefault ? advise(config, host, error) : 0;
    }
    /* Of these kinds of memory only a new mapping is sure to be empty. */
    if (mmap(host, config->size, PROT_READ | PROT_WRITE, map_flags(config) | MAP_FIXED, -1, 0) == MAP_FAILED)
        return fail(error, errno, "empty guest memory");
    return advise(config, host, error);
}

void guest_ram_destroy(struct nl_machine *machine) {
    if (machine->memory.count > 0)
        munmap(machine->memory.regions[0].host, machine->memory_config.size);
    machine->memory.count = 0;
}
