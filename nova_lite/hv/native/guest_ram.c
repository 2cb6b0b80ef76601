/* Guest RAM: anonymous memory, mapped once, with a hole in the guest's addresses below 4 GiB. */
#include <errno.h>
#include <sys/mman.h>

#include "machine.h"

#define LOW_MEMORY_END (3ull << 30)
#define HIGH_MEMORY_START (4ull << 30)
#define HUGE_PAGE (2ull << 20)
/* A guest smaller than this touches a byte here and there, and each must not cost 2 MiB. A larger one has an operating
 * system that soon touches everything: with small pages, each first touch is an exit from the guest. */
#define HUGE_PAGES_FROM (128ull << 20)

/* Aligned in the host as it is in the guest: only then does one huge page back the other. */
static uint8_t *map_aligned(uint64_t size) {
    uint64_t room = size + HUGE_PAGE;
    uint8_t *start = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    uint8_t *host = (uint8_t *)(((uintptr_t)start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (host > start)
        munmap(start, (size_t)(host - start));
    if (start + room > host + size)
        munmap(host + size, (size_t)(start + room - host - size));
    return host;
}

int guest_ram_create(struct nl_machine *machine, struct nl_error *error) {
    uint64_t size = machine->memory_size;
    uint8_t *host = size > INT64_MAX - HUGE_PAGE ? NULL : map_aligned(size);
    if (host == NULL)
        return fail(error, size > INT64_MAX - HUGE_PAGE ? EFBIG : errno, "map guest memory");
    /* No core dump of this process may hold a guest's secrets. Both are wishes; a kernel that refuses them is no reason
     * to stop. */
    madvise(host, size, size < HUGE_PAGES_FROM ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    madvise(host, size, MADV_DONTDUMP);
    uint64_t low = size < LOW_MEMORY_END ? size : LOW_MEMORY_END;
    machine->memory.regions[0] = (struct memory_region){.start = 0, .size = low, .host = host};
    machine->memory.count = 1;
    if (size > low) {
        machine->memory.regions[1] =
            (struct memory_region){.start = HIGH_MEMORY_START, .size = size - low, .host = host + low};
        machine->memory.count = 2;
    }
    return 0;
}

int guest_ram_empty(struct nl_machine *machine, struct nl_error *error) {
    if (madvise(machine->memory.regions[0].host, machine->memory_size, MADV_DONTNEED) < 0)
        return fail(error, errno, "empty guest memory");
    return 0;
}

void guest_ram_destroy(struct nl_machine *machine) {
    if (machine->memory.count > 0)
        munmap(machine->memory.regions[0].host, machine->memory_size);
    machine->memory.count = 0;
}
