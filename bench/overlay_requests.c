/* Requests of 4 KiB to a raw image and to an overlay, straight to the backends of virtio-blk: no guest, no device.
 *
 * Usage: overlay_requests RAW OVERLAY BASE BITMAP_OFFSET DATA_OFFSET REQUESTS. All images have the raw one's size. Two
 * lines for each phase: "PHASE raw NANOSECONDS", "PHASE overlay NANOSECONDS", of one request. The turns are mixed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interface.h"
#include "virtio/block_backend.h"

#define BLOCK 4096u
#define TURN 64u

static uint64_t state;

static uint64_t next(void) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t turn(struct block_backend *backend, enum block_operation operation, uint64_t from) {
    static uint8_t data[BLOCK] __attribute__((aligned(BLOCK)));
    state = from;
    uint64_t start = now();
    for (unsigned i = 0; i < TURN; i++) {
        struct iovec piece = {data, BLOCK};
        struct block_request request = {.operation = operation, .size = BLOCK, .pieces = &piece, .count = 1,
                                        .offset = next() % (backend->size / BLOCK) * BLOCK};
        if (backend->kind->perform(backend, &request) != 0)
            exit(1);
    }
    return now() - start;
}

static int compare(const void *first, const void *second) {
    uint64_t a = *(const uint64_t *)first, b = *(const uint64_t *)second;
    return a < b ? -1 : a > b;
}

static void phase(const char *name, struct block_backend *backends[2], enum block_operation operation, unsigned turns,
                  bool told) {
    uint64_t *spent[2] = {calloc(turns, sizeof(uint64_t)), calloc(turns, sizeof(uint64_t))}, from = 88172645463325252u;
    if (turns == 0 || spent[0] == NULL || spent[1] == NULL)
        exit(2);
    for (unsigned i = 0; i < turns; i++) {
        for (unsigned j = 0; j < 2; j++) /* who is first has colder caches */
            spent[(i + j) % 2][i] = turn(backends[(i + j) % 2], operation, from);
        from = state;
    }
    for (unsigned i = 0; i < 2; i++) {
        qsort(spent[i], turns, sizeof(uint64_t), compare); /* the median: a turn that was interrupted tells nothing */
        if (told)
            printf("%s %s %llu\n", name, i ? "overlay" : "raw", (unsigned long long)spent[i][turns / 2] / TURN);
        free(spent[i]);
    }
}

static void fill(struct block_backend *backend) {
    static uint8_t data[1 << 20];
    for (uint64_t at = 0; at < backend->size; at += sizeof(data)) {
        struct iovec piece = {data, sizeof(data)};
        struct block_request request = {.operation = BLOCK_WRITE, .offset = at, .size = sizeof(data), .pieces = &piece,
                                        .count = 1};
        if (backend->kind->perform(backend, &request) != 0)
            exit(1);
    }
}

int main(int count, char **arguments) {
    if (count != 7)
        return 2;
    struct block_backend *backends[2] = {block_raw_open(open(arguments[1], O_RDWR))};
    if (backends[0] == NULL)
        return 1;
    struct nl_overlay_config config = {.size = backends[0]->size, .bitmap_offset = strtoull(arguments[4], NULL, 10),
                                       .data_offset = strtoull(arguments[5], NULL, 10)};
    backends[1] = block_overlay_open(open(arguments[2], O_RDWR), open(arguments[3], O_RDONLY), &config);
    unsigned turns = (unsigned)strtoul(arguments[6], NULL, 10) / TURN;
    if (backends[1] == NULL)
        return 1;
    fill(backends[0]);
    phase("warm", backends, BLOCK_READ, turns, false);
    phase("read_base", backends, BLOCK_READ, turns, true);
    fill(backends[0]); /* both, or the pages of one would be dirty already */
    fill(backends[1]);
    phase("warm", backends, BLOCK_WRITE, turns / 4, false);
    phase("read", backends, BLOCK_READ, turns, true);
    phase("write", backends, BLOCK_WRITE, turns, true);
    for (unsigned i = 0; i < 2; i++)
        backends[i]->kind->close(backends[i]);
    return 0;
}
