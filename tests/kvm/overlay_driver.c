/* Drives the overlay backend without a device around it.
 *
 *   overlay_driver model|power_cut FILE BASE LEDGER SEED    against a model of it; on a disk that loses power
 *   overlay_driver race FILE BASE LEDGER SEED               threads at granules that nobody has written to
 *   overlay_driver write|verify FILE BASE LEDGER SEED       writes until it is killed; looks at what is left
 *
 * Every sector carries its number and the turn that wrote it. The ledger, a file of its own that outlives a kill, tells
 * for each which turns were begun, done and flushed. Linked with --wrap for the calls that change FILE. */
#include <assert.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interface.h"
#include "virtio/block_backend.h"

#define SECTOR 512u
#define SECTORS 2048u
#define SIZE (SECTORS * SECTOR)
#define BASE_SIZE (SIZE / 2 + 700u) /* ends within a granule and within a sector */
#define DATA_OFFSET 65536u
#define FILE_SIZE (DATA_OFFSET + SIZE)
#define STRIPE 13u /* sectors that one thread writes; the next are another's, in the same granule */
#define THREADS 4u
#define MOST 64u /* sectors in one request */

static const struct nl_overlay_config config = {.size = SIZE, .bitmap_offset = 4096, .data_offset = DATA_OFFSET};

struct ledger {
    _Atomic uint32_t turn, begun[SECTORS], done[SECTORS], flushed[SECTORS], zeroed[SECTORS];
};

static struct ledger *ledger;
static uint8_t base_image[SIZE]; /* the base, and zeros up to the disk's end */
static struct block_backend *backend;
static _Thread_local uint64_t random_state;

static uint32_t chance(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % below;
}

static void seed(uint64_t number) {
    random_state = number * 0x9e3779b97f4a7c15u + 88172645463325252u;
}

/* A host's disk under FILE: pages that were not synchronised may be lost, each by itself. */
static struct {
    int fd; /* -1: none */
    unsigned steps; /* until the power fails; 0: it has */
    bool unsure[FILE_SIZE / 4096];
    uint8_t kept[FILE_SIZE], after[FILE_SIZE];
    struct ledger ledger;
} power = {.fd = -1};

static void step(int fd) {
    if (fd != power.fd || power.steps == 0 || --power.steps > 0)
        return;
    assert(pread(fd, power.after, FILE_SIZE, 0) == FILE_SIZE);
    for (unsigned page = 0; page < FILE_SIZE / 4096; page++)
        if (power.unsure[page] && chance(2))
            memcpy(power.after + page * 4096, power.kept + page * 4096, 4096);
    memcpy(&power.ledger, ledger, sizeof(*ledger));
}

static void doubt(int fd, off_t offset, uint64_t size) {
    if (fd == power.fd)
        for (uint64_t page = (uint64_t)offset / 4096; page * 4096 < (uint64_t)offset + size; page++)
            power.unsure[page] = true;
}

int __real_fdatasync(int fd);
ssize_t __real_pwritev(int fd, const struct iovec *pieces, int count, off_t offset);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);

int __wrap_fdatasync(int fd) {
    step(fd);
    if (fd != power.fd)
        return __real_fdatasync(fd);
    assert(pread(fd, power.kept, FILE_SIZE, 0) == FILE_SIZE);
    memset(power.unsure, 0, sizeof(power.unsure));
    return 0;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    step(fd);
    ssize_t done = __real_pwritev(fd, pieces, count, offset);
    doubt(fd, offset, done > 0 ? (uint64_t)done : 0);
    step(fd);
    return done;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size) {
    step(fd);
    doubt(fd, offset, (uint64_t)size);
    return __real_fallocate(fd, mode, offset, size);
}

static int perform(enum block_operation operation, uint32_t sector, uint32_t count, uint8_t *data, bool unmap) {
    struct iovec pieces[MOST + 1];
    struct block_request request = {.operation = operation, .unmap = unmap, .offset = (uint64_t)sector * SECTOR,
                                    .size = (uint64_t)count * SECTOR, .pieces = pieces};
    struct block_place place;
    size_t left = data == NULL ? 0 : count * SECTOR;
    while (left > 0) { /* in pieces of any size */
        size_t part = request.count == MOST || chance(4) == 0 ? left : chance((uint32_t)left) + 1;
        pieces[request.count++] = (struct iovec){data, part};
        data += part;
        left -= part;
    }
    if ((operation == BLOCK_READ || operation == BLOCK_WRITE) && backend->kind->place(backend, &request, &place))
        return file_transfer(place.fd, operation == BLOCK_WRITE, pieces, request.count, place.offset);
    return backend->kind->perform(backend, &request);
}

static void stamp(uint8_t *data, uint32_t sector, uint32_t count, uint32_t turn) {
    for (uint32_t i = 0; i < count * (SECTOR / 8); i++) {
        uint64_t word = (uint64_t)(sector + i / (SECTOR / 8) + 1) << 32 | turn;
        memcpy(data + i * 8, &word, 8);
    }
}

static void open_overlay(int fd, const char *base) {
    int base_fd = open(base, O_RDONLY);
    backend = block_overlay_open(fd, base_fd, &config);
    assert(backend != NULL && backend->size == SIZE);
}

/* A request of any kind that stays within the sectors from ``first`` on. */
static void one_turn(uint32_t first, uint32_t room) {
    static _Thread_local uint8_t data[MOST * SECTOR];
    uint32_t sector = first + chance(room), most = first + room - sector, now = atomic_fetch_add(&ledger->turn, 1) + 1;
    uint32_t count = 1 + chance(most < MOST ? most : MOST), what = chance(20);
    if (what == 0) { /* a flush, for what everyone has done */
        uint32_t done[SECTORS];
        for (uint32_t i = 0; i < SECTORS; i++)
            done[i] = atomic_load(&ledger->done[i]);
        assert(perform(BLOCK_FLUSH, 0, 0, NULL, false) == 0);
        for (uint32_t i = 0; i < SECTORS; i++) {
            uint32_t before = atomic_load(&ledger->flushed[i]);
            while (before < done[i] && !atomic_compare_exchange_weak(&ledger->flushed[i], &before, done[i]))
                continue;
        }
        return;
    }
    bool zeroes = what < 4;
    for (uint32_t i = sector; i < sector + count; i++) {
        atomic_store(&ledger->begun[i], now);
        if (zeroes)
            atomic_store(&ledger->zeroed[i], now);
    }
    stamp(data, sector, count, now);
    assert(perform(zeroes ? BLOCK_WRITE_ZEROES : BLOCK_WRITE, sector, count, zeroes ? NULL : data, what & 1) == 0);
    for (uint32_t i = sector; i < sector + count; i++)
        atomic_store(&ledger->done[i], now);
}

/* Every sector is what some turn made it, none older than what was flushed. From here on that is what it is. */
static void verify(void) {
    static const uint8_t zeroes[SECTOR];
    for (uint32_t sector = 0; sector < SECTORS; sector++) {
        uint8_t data[SECTOR], expected[SECTOR];
        uint64_t word;
        uint32_t turn, flushed = ledger->flushed[sector];
        assert(perform(BLOCK_READ, sector, 1, data, false) == 0);
        memcpy(&word, data, 8);
        turn = (uint32_t)word;
        stamp(expected, sector, 1, turn);
        if (flushed == 0 && memcmp(data, base_image + sector * SECTOR, SECTOR) == 0)
            turn = 0;
        else if (memcmp(data, zeroes, SECTOR) == 0 && ledger->zeroed[sector] > 0)
            turn = ledger->zeroed[sector];
        else if (memcmp(data, expected, SECTOR) != 0)
            turn = UINT32_MAX;
        if (turn < flushed || turn > ledger->begun[sector]) {
            fprintf(stderr, "sector %u: turn %u, flushed %u, begun %u\n", sector, turn, flushed, ledger->begun[sector]);
            exit(1);
        }
        ledger->begun[sector] = ledger->done[sector] = ledger->flushed[sector] = turn;
        ledger->zeroed[sector] = turn == ledger->zeroed[sector] ? turn : 0;
    }
}

static int blank(void) {
    int fd = memfd_create("overlay", 0);
    assert(ftruncate(fd, FILE_SIZE) == 0);
    return fd;
}

static void power_cut(const char *base, uint64_t number) {
    for (unsigned round = 0; round < 400; round++) {
        int fd = blank();
        seed(number * 1000 + round);
        memset(ledger, 0, sizeof(*ledger));
        memset(power.kept, 0, sizeof(power.kept));
        memset(power.unsure, 0, sizeof(power.unsure));
        open_overlay(fd, base);
        power.fd = fd;
        power.steps = 1 + chance(round + 1);
        while (power.steps > 0)
            one_turn(0, SECTORS);
        power.fd = -1;
        backend->kind->close(backend);
        memcpy(ledger, &power.ledger, sizeof(*ledger));
        fd = blank();
        assert(pwrite(fd, power.after, FILE_SIZE, 0) == FILE_SIZE);
        open_overlay(fd, base);
        verify();
        backend->kind->close(backend);
    }
}

static void model(const char *base, uint64_t number) {
    static uint8_t disk[SIZE], data[MOST * SECTOR];
    bool here[SIZE / 4096] = {false};
    int fd = blank();
    seed(number);
    memcpy(disk, base_image, SIZE);
    open_overlay(dup(fd), base);
    for (uint32_t turn = 1; turn < 4000; turn++) {
        uint32_t sector = chance(SECTORS), most = SECTORS - sector, count = 1 + chance(most < MOST ? most : MOST);
        uint8_t *at = disk + sector * SECTOR;
        uint32_t what = turn % 200 == 0 ? 9 : chance(9), size = count * SECTOR;
        if (what < 3) {
            assert(perform(BLOCK_READ, sector, count, data, false) == 0 && memcmp(data, at, size) == 0);
        } else if (what < 6) {
            stamp(data, sector, count, turn);
            memcpy(at, data, size);
            assert(perform(BLOCK_WRITE, sector, count, data, false) == 0);
        } else if (what < 7) {
            memset(at, 0, size);
            assert(perform(BLOCK_WRITE_ZEROES, sector, count, NULL, turn & 1) == 0);
        } else if (what < 9) { /* what lies in the base stays */
            for (uint32_t i = sector; i < sector + count; i++)
                if (here[i / 8])
                    memset(disk + i * SECTOR, 0, SECTOR);
            assert(perform(BLOCK_DISCARD, sector, count, NULL, false) == 0);
        } else { /* closed without a flush and opened again */
            backend->kind->close(backend);
            open_overlay(dup(fd), base);
        }
        for (uint32_t i = sector / 8; what >= 3 && what < 7 && i <= (sector + count - 1) / 8; i++)
            here[i] = true;
    }
    for (uint32_t sector = 0; sector < SECTORS; sector += MOST)
        assert(perform(BLOCK_READ, sector, MOST, data, false) == 0 &&
               memcmp(data, disk + sector * SECTOR, MOST * SECTOR) == 0);
    /* A base that became shorter is an error, not zeros; and what lies here does not mind. */
    assert(truncate(base, 0) == 0);
    for (uint32_t i = 0; i < SIZE / 4096; i++)
        assert((perform(BLOCK_READ, i * 8, 8, data, false) == 0) == (here[i] || i * 4096 >= BASE_SIZE));
    backend->kind->close(backend);
    /* Files that do not go with the configuration. */
    for (uint32_t size = 0; size < FILE_SIZE; size += 60000)
        assert(ftruncate(fd, size) == 0 && block_overlay_open(fd, -1, &config) == NULL);
    close(fd);
}

static void *writer(void *number) {
    seed((uintptr_t)number);
    while (atomic_load(&ledger->turn) < UINT32_MAX / 2) {
        uint32_t stripe = chance(SECTORS / STRIPE / THREADS) * THREADS + (uintptr_t)number % THREADS;
        one_turn(stripe * STRIPE, STRIPE);
    }
    return NULL;
}

/* The first writes to each granule, from all threads at once: each sets two of its sectors. */
static void *first_writes(void *number) {
    uint8_t data[2 * SECTOR];
    seed((uintptr_t)number);
    for (uint32_t sector = (uint32_t)(uintptr_t)number * 2; sector < SECTORS; sector += 8) {
        stamp(data, sector, 2, 1);
        assert(perform(BLOCK_WRITE, sector, 2, data, false) == 0);
    }
    return NULL;
}

static void race(const char *base) {
    static uint8_t data[MOST * SECTOR], expected[MOST * SECTOR];
    for (unsigned round = 0; round < 100; round++) {
        pthread_t threads[THREADS];
        open_overlay(blank(), base);
        for (uintptr_t i = 0; i < THREADS; i++)
            assert(pthread_create(&threads[i], NULL, first_writes, (void *)i) == 0);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (uint32_t sector = 0; sector < SECTORS; sector += MOST) {
            stamp(expected, sector, MOST, 1);
            assert(perform(BLOCK_READ, sector, MOST, data, false) == 0 && memcmp(data, expected, sizeof(data)) == 0);
        }
        backend->kind->close(backend);
    }
}

int main(int count, char **arguments) {
    assert(count == 6);
    const char *mode = arguments[1], *base = arguments[3];
    uint64_t number = strtoull(arguments[5], NULL, 10);
    int fd = open(base, O_RDWR | O_CREAT, 0600), ledger_fd = open(arguments[4], O_RDWR | O_CREAT, 0600);
    stamp(base_image, 0, SECTORS, 0);
    memset(base_image + BASE_SIZE, 0, SIZE - BASE_SIZE);
    assert(ftruncate(ledger_fd, sizeof(*ledger)) == 0 && pwrite(fd, base_image, BASE_SIZE, 0) == BASE_SIZE);
    close(fd);
    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, ledger_fd, 0);
    assert(ledger != MAP_FAILED);
    if (strcmp(mode, "model") == 0) {
        model(base, number);
    } else if (strcmp(mode, "power_cut") == 0) {
        power_cut(base, number);
    } else if (strcmp(mode, "race") == 0) {
        race(base);
    } else {
        seed(number);
        fd = open(arguments[2], O_RDWR);
        open_overlay(fd, base);
        if (strcmp(mode, "write") == 0) {
            pthread_t threads[THREADS];
            for (uintptr_t i = 0; i < THREADS; i++)
                assert(pthread_create(&threads[i], NULL, writer, (void *)(number * THREADS + i)) == 0);
            puts("writing");
            fflush(stdout);
            pthread_join(threads[0], NULL);
        }
        verify();
        backend->kind->close(backend);
    }
    return 0;
}
