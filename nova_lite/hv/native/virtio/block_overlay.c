/* A copy-on-write overlay: what was written lies in its own file, the rest in a base that is never written to; what is
 * beyond the base's end is zeros. The format is nova_lite/disks/overlay_format.py's. No KVM in here.
 *
 * A bit per granule of 4 KiB says where it lies. Bits only go from 0 to 1, after the granule's bytes are in the file.
 * They are kept in memory and reach the file in a flush, when the bytes that they speak of are on the disk already: a
 * host that fails at any time leaves each granule old or new, and what was flushed new. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interface.h"
#include "virtio/block_backend.h"

#define GRANULE_BITS 12
#define GRANULE (1u << GRANULE_BITS)
#define PAGE 4096u
#define PAGE_GRANULES (8 * PAGE) /* that a page of the bitmap speaks of */
#define BATCH 64                 /* pages of the bitmap that are flushed together: 8 GiB of disk */

struct overlay {
    struct block_backend backend;
    int fd, base_fd; /* base_fd -1: no base */
    uint64_t base_size, bitmap_offset, data_offset, pages;
    _Atomic uint64_t *words; /* the bitmap */
    _Atomic uint8_t *dirty;  /* for each of its pages: has bits that the file does not have */
    pthread_mutex_t bits;    /* who sets bits and marks the page, and who copies pages */
    pthread_mutex_t flush;   /* one at a time, or a second would end before the first has brought its bits */
    /* Whoever writes whole granules that are not here yet: shared. Whoever copies one from the base: alone. */
    pthread_rwlock_t fill;
};

static bool is_set(const struct overlay *overlay, uint64_t granule) {
    return atomic_load(&overlay->words[granule >> 6]) >> (granule & 63) & 1;
}

/* The first granule from ``granule`` on whose bit is not ``set``; at most ``end``. */
static uint64_t run_end(const struct overlay *overlay, uint64_t granule, uint64_t end, bool set) {
    while (granule < end) {
        uint64_t word = atomic_load(&overlay->words[granule >> 6]);
        uint64_t others = (set ? ~word : word) >> (granule & 63);
        if (others != 0) {
            granule += (unsigned)__builtin_ctzll(others);
            return granule < end ? granule : end;
        }
        granule = (granule | 63) + 1;
    }
    return end;
}

static void set_bits(struct overlay *overlay, uint64_t granule, uint64_t end) {
    pthread_mutex_lock(&overlay->bits);
    while (granule < end) {
        uint64_t next = (granule | 63) + 1 < end ? (granule | 63) + 1 : end;
        uint64_t mask = ~0ull >> (64 - (next - granule)) << (granule & 63);
        if (mask & ~atomic_fetch_or(&overlay->words[granule >> 6], mask))
            atomic_store(&overlay->dirty[granule / PAGE_GRANULES], 1);
        granule = next;
    }
    pthread_mutex_unlock(&overlay->bits);
}

static uint64_t end_granule(const struct block_request *request) {
    return (request->offset + request->size + GRANULE - 1) >> GRANULE_BITS;
}

/* The next ``size`` bytes of the request, read from ``fd``, or zeros if that is -1. */
static int read_part(struct block_request *request, int fd, uint64_t offset, uint64_t size) {
    unsigned last = 0;
    uint64_t before = 0;
    int result = 0;
    if (size == 0)
        return 0;
    while (before + request->pieces[last].iov_len < size)
        before += request->pieces[last++].iov_len;
    struct iovec *cut = &request->pieces[last];
    size_t part = (size_t)(size - before);
    struct iovec rest = {.iov_base = (uint8_t *)cut->iov_base + part, .iov_len = cut->iov_len - part};
    cut->iov_len = part;
    if (fd >= 0)
        result = file_transfer(fd, false, request->pieces, last + 1, offset);
    for (unsigned i = 0; fd < 0 && i <= last; i++)
        memset(request->pieces[i].iov_base, 0, request->pieces[i].iov_len);
    *cut = rest;
    request->pieces = cut;
    request->count -= last;
    return result;
}

static uint64_t within_base(const struct overlay *overlay, uint64_t offset, uint64_t size) {
    if (offset >= overlay->base_size)
        return 0;
    return size < overlay->base_size - offset ? size : overlay->base_size - offset;
}

static int read_all(struct overlay *overlay, struct block_request *request) {
    uint64_t at = request->offset, end = request->offset + request->size, last = end_granule(request);
    int result = 0;
    while (result == 0 && at < end) {
        bool here = is_set(overlay, at >> GRANULE_BITS);
        uint64_t to = run_end(overlay, at >> GRANULE_BITS, last, here) << GRANULE_BITS;
        /* A bit that has been set since makes a run of nothing: then the granule is looked at again. */
        if (to > at) {
            uint64_t size = (to < end ? to : end) - at;
            uint64_t base = here ? 0 : within_base(overlay, at, size);
            if (here)
                result = read_part(request, overlay->fd, overlay->data_offset + at, size);
            else if ((result = read_part(request, overlay->base_fd, at, base)) == 0)
                result = read_part(request, -1, 0, size - base);
            at += size;
        }
    }
    return result;
}

/* The granule's bytes come from the base, unless they are here. */
static int copy_up(struct overlay *overlay, uint64_t granule) {
    uint8_t bytes[GRANULE] __attribute__((aligned(GRANULE)));
    uint64_t at = granule << GRANULE_BITS, size = within_base(overlay, at, GRANULE);
    struct iovec piece = {.iov_base = bytes, .iov_len = size};
    int result = 0;
    if (is_set(overlay, granule))
        return 0;
    pthread_rwlock_wrlock(&overlay->fill);
    if (!is_set(overlay, granule)) {
        memset(bytes, 0, sizeof(bytes));
        if (size > 0)
            result = file_transfer(overlay->base_fd, false, &piece, 1, at);
        piece = (struct iovec){.iov_base = bytes, .iov_len = sizeof(bytes)};
        if (result == 0)
            result = file_transfer(overlay->fd, true, &piece, 1, overlay->data_offset + at);
        if (result == 0)
            set_bits(overlay, granule, granule + 1);
    }
    pthread_rwlock_unlock(&overlay->fill);
    return result;
}

static int put(struct overlay *overlay, struct block_request *request) {
    uint64_t offset = overlay->data_offset + request->offset;
    if (request->operation == BLOCK_WRITE)
        return file_transfer(overlay->fd, true, request->pieces, request->count, offset);
    return file_zero(overlay->fd, offset, request->size, request->unmap);
}

/* Data or zeros. Granules that are written in part are brought here first, so that those without a bit are whole. */
static int write_all(struct overlay *overlay, struct block_request *request) {
    uint64_t first = request->offset >> GRANULE_BITS, last = end_granule(request);
    uint64_t end = request->offset + request->size;
    int result = 0;
    if (run_end(overlay, first, last, true) == last)
        return put(overlay, request);
    if (request->offset % GRANULE != 0)
        result = copy_up(overlay, first);
    if (result == 0 && end % GRANULE != 0)
        result = copy_up(overlay, last - 1);
    if (result < 0)
        return result;
    pthread_rwlock_rdlock(&overlay->fill);
    result = put(overlay, request);
    if (result == 0)
        set_bits(overlay, first, last);
    pthread_rwlock_unlock(&overlay->fill);
    return result;
}

/* What lies here becomes a hole, which reads as zeros; what does not goes on to read as the base. */
static int discard(struct overlay *overlay, const struct block_request *request) {
    uint64_t at = request->offset, end = request->offset + request->size, last = end_granule(request);
    int result = 0;
    while (result == 0 && at < end) {
        uint64_t from = run_end(overlay, at >> GRANULE_BITS, last, false);
        uint64_t to = run_end(overlay, from, last, true) << GRANULE_BITS;
        at = from << GRANULE_BITS > at ? from << GRANULE_BITS : at;
        to = to < end ? to : end;
        if (at < to)
            result = file_discard(overlay->fd, overlay->data_offset + at, to - at);
        at = to;
    }
    return result;
}

static bool any_dirty(const struct overlay *overlay) {
    for (uint64_t page = 0; page < overlay->pages; page++)
        if (atomic_load(&overlay->dirty[page]))
            return true;
    return false;
}

/* Copies of the next dirty pages from ``*page`` on, into ``copies``; how many. */
static unsigned copy_pages(struct overlay *overlay, uint64_t *page, uint64_t *numbers, uint8_t *copies) {
    unsigned count = 0;
    pthread_mutex_lock(&overlay->bits);
    for (; *page < overlay->pages && count < BATCH; (*page)++) {
        if (!atomic_load(&overlay->dirty[*page]))
            continue;
        atomic_store(&overlay->dirty[*page], 0);
        memcpy(copies + (size_t)count * PAGE, (const uint8_t *)overlay->words + *page * PAGE, PAGE);
        numbers[count++] = *page;
    }
    pthread_mutex_unlock(&overlay->bits);
    return count;
}

/* First the data, then the bits as they were before that: none that was set since gets ahead of its data. */
static int bring_pages(struct overlay *overlay, const uint64_t *numbers, unsigned count, uint8_t *copies) {
    int result = fdatasync(overlay->fd) < 0 ? -errno : 0;
    for (unsigned i = 0; result == 0 && i < count; i++) {
        struct iovec piece = {.iov_base = copies + (size_t)i * PAGE, .iov_len = PAGE};
        result = file_transfer(overlay->fd, true, &piece, 1, overlay->bitmap_offset + numbers[i] * PAGE);
    }
    if (result == 0 && fdatasync(overlay->fd) < 0)
        result = -errno;
    for (unsigned i = 0; result < 0 && i < count; i++) /* for the next flush */
        atomic_store(&overlay->dirty[numbers[i]], 1);
    return result;
}

static int flush(struct overlay *overlay) {
    uint64_t page = 0, numbers[BATCH];
    void *copies = NULL;
    unsigned count = 0;
    int result = 0;
    pthread_mutex_lock(&overlay->flush);
    if (!any_dirty(overlay))
        result = fdatasync(overlay->fd) < 0 ? -errno : 0;
    else if (posix_memalign(&copies, PAGE, (size_t)BATCH * PAGE) != 0)
        result = -ENOMEM;
    while (copies != NULL && result == 0 && (count = copy_pages(overlay, &page, numbers, copies)) > 0)
        result = bring_pages(overlay, numbers, count, copies);
    free(copies);
    pthread_mutex_unlock(&overlay->flush);
    return result;
}

static int perform(struct block_backend *backend, struct block_request *request) {
    struct overlay *overlay = (struct overlay *)backend;
    switch (request->operation) {
    case BLOCK_READ:
        return read_all(overlay, request);
    case BLOCK_WRITE:
    case BLOCK_WRITE_ZEROES:
        return write_all(overlay, request);
    case BLOCK_DISCARD:
        return discard(overlay, request);
    case BLOCK_FLUSH:
        return flush(overlay);
    }
    return -EOPNOTSUPP;
}

static bool place(struct block_backend *backend, const struct block_request *request, struct block_place *place) {
    struct overlay *overlay = (struct overlay *)backend;
    uint64_t first = request->offset >> GRANULE_BITS, last = end_granule(request);
    if (run_end(overlay, first, last, true) == last) {
        *place = (struct block_place){.fd = overlay->fd, .offset = overlay->data_offset + request->offset};
        return true;
    }
    *place = (struct block_place){.fd = overlay->base_fd, .offset = request->offset};
    return request->operation == BLOCK_READ && within_base(overlay, request->offset, request->size) == request->size &&
           run_end(overlay, first, last, false) == last;
}

static int settle(struct block_backend *backend) {
    struct overlay *overlay = (struct overlay *)backend;
    return any_dirty(overlay) ? flush(overlay) : 0;
}

static void release(struct overlay *overlay) {
    if (overlay->words != NULL)
        munmap(overlay->words, overlay->pages * PAGE);
    free(overlay->dirty);
    free(overlay);
}

static void close_overlay(struct block_backend *backend) {
    struct overlay *overlay = (struct overlay *)backend;
    settle(backend); /* the device said so before, and counted it if it went wrong */
    close(overlay->fd);
    if (overlay->base_fd >= 0)
        close(overlay->base_fd);
    pthread_rwlock_destroy(&overlay->fill);
    pthread_mutex_destroy(&overlay->bits);
    pthread_mutex_destroy(&overlay->flush);
    release(overlay);
}

/* Only pages with something in them get memory of their own: a new overlay's bitmap costs next to none. */
static int load_bitmap(struct overlay *overlay) {
    static const uint8_t nothing[PAGE];
    void *page = NULL;
    int result = posix_memalign(&page, PAGE, PAGE) == 0 ? 0 : -ENOMEM;
    for (uint64_t number = 0; result == 0 && number < overlay->pages; number++) {
        off_t at = (off_t)(overlay->bitmap_offset + number * PAGE), data = lseek(overlay->fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        if (data >= at + (off_t)PAGE) {
            number = ((uint64_t)data - overlay->bitmap_offset) / PAGE - 1;
            continue;
        }
        struct iovec piece = {.iov_base = page, .iov_len = PAGE};
        result = file_transfer(overlay->fd, false, &piece, 1, (uint64_t)at);
        if (result == 0 && memcmp(page, nothing, PAGE) != 0)
            memcpy((uint8_t *)overlay->words + number * PAGE, page, PAGE);
    }
    free(page);
    return result;
}

static const struct block_backend_kind kind = {
    .perform = perform, .place = place, .settle = settle, .close = close_overlay};

struct block_backend *block_overlay_open(int fd, int base_fd, const struct nl_overlay_config *config) {
    uint64_t granules = (config->size >> GRANULE_BITS) + (config->size % GRANULE != 0);
    off_t there = lseek(fd, 0, SEEK_END), base_size = base_fd < 0 ? 0 : lseek(base_fd, 0, SEEK_END);
    uint64_t pages = granules / PAGE_GRANULES + (granules % PAGE_GRANULES != 0);
    if (there < 0 || base_size < 0)
        return NULL;
    if (config->size == 0 || config->data_offset > (uint64_t)there || config->bitmap_offset > config->data_offset ||
        granules > ((uint64_t)there - config->data_offset) >> GRANULE_BITS ||
        pages > (config->data_offset - config->bitmap_offset) / PAGE) {
        errno = EINVAL;
        return NULL;
    }
    struct overlay *overlay = calloc(1, sizeof(*overlay));
    if (overlay == NULL)
        return NULL;
    *overlay = (struct overlay){.backend = {.kind = &kind, .size = config->size},
                                .fd = fd,
                                .base_fd = base_fd,
                                .base_size = (uint64_t)base_size,
                                .bitmap_offset = config->bitmap_offset,
                                .data_offset = config->data_offset,
                                .pages = pages};
    void *words = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    overlay->words = words == MAP_FAILED ? NULL : words;
    overlay->dirty = calloc(pages, 1);
    int result = overlay->words == NULL || overlay->dirty == NULL ? -ENOMEM : load_bitmap(overlay);
    if (result < 0) {
        release(overlay);
        errno = -result;
        return NULL;
    }
    pthread_mutex_init(&overlay->bits, NULL);
    pthread_mutex_init(&overlay->flush, NULL);
    pthread_rwlock_init(&overlay->fill, NULL);
    return &overlay->backend;
}
