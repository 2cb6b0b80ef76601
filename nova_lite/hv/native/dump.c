/* Guest RAM into a file, for a dump: what the guest never touched, or left as zeroes, becomes a hole. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define PAGE 4096u
#define BATCH 512u /* pages looked at together: 2 MiB */
/* proc_pid_pagemap(5): the page is in memory, or swapped out. */
#define PRESENT_OR_SWAPPED (3ull << 62)

static bool is_zero(const uint8_t *page) {
    return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static int write_all(int fd, const uint8_t *data, size_t size, off_t offset) {
    while (size > 0) {
        ssize_t done = pwrite(fd, data, size, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        data += done;
        size -= (size_t)done;
        offset += done;
    }
    return 0;
}

/* Which of these pages exist. Where the kernel does not say, all do: looking at them costs page tables, no more. */
static void look_up(int pagemap, const uint8_t *host, uint64_t *entries, size_t count) {
    size_t size = count * sizeof(entries[0]);
    off_t at = (off_t)((uintptr_t)host / PAGE * sizeof(entries[0]));
    if (pagemap < 0 || pread(pagemap, entries, size, at) != (ssize_t)size)
        memset(entries, 0xff, size);
}

static int write_batch(int fd, off_t offset, const uint8_t *host, const uint64_t *entries, size_t count) {
    int result = 0;
    size_t first = 0; /* of the run of pages that are to be written */
    for (size_t i = 0; i <= count && result == 0; i++) {
        if (i < count && (entries[i] & PRESENT_OR_SWAPPED) && !is_zero(host + i * PAGE))
            continue;
        if (i > first)
            result = write_all(fd, host + first * PAGE, (i - first) * PAGE, offset + (off_t)(first * PAGE));
        first = i + 1;
    }
    return result;
}

int nl_machine_dump_memory(struct nl_machine *machine, int32_t fd, uint64_t offset, struct nl_error *error) {
    uint64_t entries[BATCH];
    const uint8_t *host = machine->memory.regions[0].host;
    uint64_t pages = machine->memory_config.size / PAGE;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), result = 0;
    for (uint64_t page = 0; page < pages && result == 0; page += BATCH) {
        size_t count = pages - page < BATCH ? (size_t)(pages - page) : BATCH;
        look_up(pagemap, host + page * PAGE, entries, count);
        result = write_batch(fd, (off_t)(offset + page * PAGE), host + page * PAGE, entries, count);
    }
    if (pagemap >= 0)
        close(pagemap);
    return result < 0 ? fail(error, -result, "write guest memory") : 0;
}
