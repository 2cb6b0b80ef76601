/* Writer of the console log's ring: stores into a shared mapping of a file that is allocated in full. */
#include "console_log.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct console_log_header {
    char magic[8];
    uint64_t capacity;
    _Atomic uint64_t total; /* bytes ever written; the ring holds the last ``capacity`` of them */
    _Atomic uint64_t begun; /* how far the ring may be overwritten already; set before the bytes, total after */
    _Atomic uint64_t wanted; /* set by a reader that waits, taken back by the writer */
    uint8_t reserved[24];
};

_Static_assert(sizeof(struct console_log_header) == 64, "the header is 64 bytes in the file");

#define MIN_CAPACITY 4096u
#define MAX_CAPACITY (1ull << 30)

int console_log_open(struct console_log *log, int fd) {
    struct stat status;
    log->header = NULL;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size < sizeof(struct console_log_header) + MIN_CAPACITY)
        return -EINVAL;
    struct console_log_header *header =
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (header == MAP_FAILED)
        return -errno;
    uint64_t capacity = header->capacity;
    if (memcmp(header->magic, "NLCONS1", 8) != 0 || capacity < MIN_CAPACITY || capacity > MAX_CAPACITY ||
        (uint64_t)status.st_size != sizeof(*header) + capacity || atomic_load(&header->total) >= 1ull << 63) {
        munmap(header, (size_t)status.st_size);
        return -EINVAL;
    }
    /* From here on only our own copy of the sizes counts: the file may be changed under us. */
    log->header = header;
    log->ring = (uint8_t *)(header + 1);
    log->capacity = capacity;
    log->total = atomic_load(&header->total);
    return 0;
}

void console_log_close(struct console_log *log) {
    if (log->header != NULL)
        munmap(log->header, sizeof(*log->header) + log->capacity);
    log->header = NULL;
}

void console_log_write(struct console_log *log, const void *data, size_t size) {
    if (log->header == NULL || size == 0)
        return;
    const uint8_t *source = data;
    uint64_t end = log->total + size;
    if (size > log->capacity) {
        source += size - log->capacity;
        size = log->capacity;
    }
    atomic_store_explicit(&log->header->begun, end, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    size_t start = (end - size) % log->capacity;
    size_t first = size < log->capacity - start ? size : log->capacity - start;
    memcpy(log->ring + start, source, first);
    memcpy(log->ring, source + first, size - first);
    atomic_store_explicit(&log->header->total, end, memory_order_release);
    log->total = end;
}

bool console_log_wanted(struct console_log *log) {
    /* Either the reader sees the new total after it has said that it waits, or we see here that it has. */
    atomic_thread_fence(memory_order_seq_cst);
    return log->header != NULL && atomic_load_explicit(&log->header->wanted, memory_order_relaxed) != 0 &&
           atomic_exchange(&log->header->wanted, 0) != 0;
}
