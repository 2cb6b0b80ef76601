/* Guest RAM: a memfd, mapped once, with a hole in the guest's addresses below 4 GiB. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define LOW_MEMORY_END (3ull << 30)
#define HIGH_MEMORY_START (4ull << 30)

int guest_ram_create(struct nl_machine *machine, struct nl_error *error) {
    uint64_t size = machine->memory_size;
    machine->memory_fd = memfd_create("guest-ram", MFD_CLOEXEC);
    if (machine->memory_fd < 0)
        return fail(error, errno, "make guest memory");
    if (size > INT64_MAX || ftruncate(machine->memory_fd, (off_t)size) < 0)
        return fail(error, size > INT64_MAX ? EFBIG : errno, "size guest memory");
    uint8_t *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, machine->memory_fd, 0);
    if (host == MAP_FAILED)
        return fail(error, errno, "map guest memory");
    /* Small pages: a guest that touches one byte here and there must not cost 2 MiB each time. And no core dump of
     * this process may hold a guest's secrets. Both are wishes; a kernel that refuses them is no reason to stop. */
    madvise(host, size, MADV_NOHUGEPAGE);
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
    if (fallocate(machine->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)machine->memory_size) < 0)
        return fail(error, errno, "empty guest memory");
    return 0;
}

void guest_ram_destroy(struct nl_machine *machine) {
    if (machine->memory.count > 0)
        munmap(machine->memory.regions[0].host, machine->memory_size);
    machine->memory.count = 0;
    if (machine->memory_fd >= 0)
        close(machine->memory_fd);
    machine->memory_fd = -1;
}
