/* An overlay's file and its base, as a hostile store might hold them: bits for granules that are not there, parts over
 * one another, a file that was cut off, a base of any length. */
#include "overlay_files.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interface.h"

#define PAGE 4096u
#define MOST_GRANULES (3 * 8 * PAGE) /* three pages of bitmap */
enum { OWN_BITMAP_OFFSET = 1, OWN_DATA_OFFSET = 2, OWN_LENGTH = 4, NO_BASE = 8 };

static int base_fd = -1; /* a second descriptor of the base: it never has data, whatever the guest does */

static int file_of(const char *name, uint64_t length) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)length) < 0)
        abort();
    return fd;
}

static struct block_backend *open_overlay(int fd, bool with_base, uint64_t base_size, struct nl_overlay_config *config) {
    int base = with_base ? file_of("base", base_size) : -1;
    base_fd = with_base ? dup(base) : -1;
    struct block_backend *backend = block_overlay_open(fd, base, config);
    if (backend == NULL) {
        close(fd);
        if (with_base)
            close(base);
        overlay_check();
    }
    return backend;
}

struct block_backend *overlay_of_size(uint64_t size, uint64_t base_size) {
    struct nl_overlay_config config = {.size = size, .bitmap_offset = PAGE, .data_offset = 2 * PAGE};
    return open_overlay(file_of("overlay", 2 * PAGE + size), true, base_size, &config);
}

struct block_backend *overlay_of(struct input *input) {
    uint32_t flags = take(input, 1), granules = take(input, 4) % MOST_GRANULES, sectors = take(input, 1) % 8;
    uint64_t base_size = take(input, 3), pages = granules / (8 * PAGE) + 1;
    struct nl_overlay_config config = {
        .size = (uint64_t)granules * PAGE + sectors * 512, .bitmap_offset = PAGE, .data_offset = (1 + pages) * PAGE};
    uint64_t length = config.data_offset + (uint64_t)(granules + (sectors > 0)) * PAGE;
    if (flags & OWN_BITMAP_OFFSET)
        config.bitmap_offset = take(input, 4);
    if (flags & OWN_DATA_OFFSET)
        config.data_offset = take(input, 4);
    if (flags & OWN_LENGTH)
        length = take(input, 4);
    int fd = file_of("overlay", length);
    /* Runs of the bitmap: where, how long, of which byte. */
    for (uint32_t runs = take(input, 1) % 8; runs > 0; runs--) {
        uint8_t bytes[256];
        uint32_t at = take(input, 2), count = take(input, 1), byte = take(input, 1);
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)byte;
        if (pwrite(fd, bytes, count, (off_t)(config.bitmap_offset + at)) < 0)
            abort();
    }
    return open_overlay(fd, (flags & NO_BASE) == 0, base_size, &config);
}

void overlay_check(void) {
    if (base_fd < 0)
        return;
    assert(lseek(base_fd, 0, SEEK_DATA) < 0);
    close(base_fd);
    base_fd = -1;
}
