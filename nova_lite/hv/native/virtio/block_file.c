/* Transfers between guest memory and a file, to their end. For the backends of virtio-blk. No KVM in here. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio/block_backend.h"

#define BOUNCE_SIZE (64 * 1024)

/* Step over the first ``done`` bytes of the pieces. */
static void advance(struct iovec **pieces, unsigned *count, size_t done) {
    while (done > 0 && *count > 0) {
        size_t part = (*pieces)->iov_len < done ? (*pieces)->iov_len : done;
        (*pieces)->iov_base = (uint8_t *)(*pieces)->iov_base + part;
        (*pieces)->iov_len -= part;
        done -= part;
        if ((*pieces)->iov_len == 0) {
            (*pieces)++;
            (*count)--;
        }
    }
}

/* O_DIRECT refuses memory that lies askew; then the data go through memory that does not. */
static ssize_t transfer_askew(int fd, bool write, const struct iovec *pieces, unsigned count, uint64_t offset) {
    void *bounce = NULL;
    size_t total = 0, filled = 0;
    for (unsigned i = 0; i < count; i++)
        total += pieces[i].iov_len;
    total = total < BOUNCE_SIZE ? total : BOUNCE_SIZE;
    if (posix_memalign(&bounce, 4096, BOUNCE_SIZE) != 0)
        return -ENOMEM;
    for (unsigned i = 0; write && filled < total; i++) {
        size_t part = pieces[i].iov_len < total - filled ? pieces[i].iov_len : total - filled;
        memcpy((uint8_t *)bounce + filled, pieces[i].iov_base, part);
        filled += part;
    }
    ssize_t done = write ? pwrite(fd, bounce, total, (off_t)offset) : pread(fd, bounce, total, (off_t)offset);
    if (done < 0)
        done = -errno;
    for (unsigned i = 0; !write && done > 0 && filled < (size_t)done; i++) {
        size_t part = pieces[i].iov_len < (size_t)done - filled ? pieces[i].iov_len : (size_t)done - filled;
        memcpy(pieces[i].iov_base, (uint8_t *)bounce + filled, part);
        filled += part;
    }
    free(bounce);
    return done;
}

int file_transfer(int fd, bool write, struct iovec *pieces, unsigned count, uint64_t offset) {
    while (count > 0) {
        ssize_t done = write ? pwritev(fd, pieces, (int)count, (off_t)offset) : preadv(fd, pieces, (int)count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            done = errno == EINVAL ? transfer_askew(fd, write, pieces, count, offset) : -errno;
        if (done <= 0)
            return done == 0 ? -EIO : (int)done; /* 0: the file became shorter */
        advance(&pieces, &count, (size_t)done);
        offset += (uint64_t)done;
    }
    return 0;
}

static int zero_by_hand(int fd, uint64_t offset, uint64_t size) {
    static const uint8_t zeroes[4096] __attribute__((aligned(4096)));
    while (size > 0) {
        struct iovec pieces[16];
        unsigned count = 0;
        uint64_t part = 0;
        for (; count < 16 && part < size; count++) {
            size_t piece = size - part < sizeof(zeroes) ? (size_t)(size - part) : sizeof(zeroes);
            pieces[count] = (struct iovec){.iov_base = (void *)(uintptr_t)zeroes, .iov_len = piece};
            part += piece;
        }
        int result = file_transfer(fd, true, pieces, count, offset);
        if (result < 0)
            return result;
        offset += part;
        size -= part;
    }
    return 0;
}

int file_zero(int fd, uint64_t offset, uint64_t size, bool unmap) {
    int mode = FALLOC_FL_KEEP_SIZE | (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    if (fallocate(fd, mode, (off_t)offset, (off_t)size) == 0)
        return 0;
    return errno == EOPNOTSUPP ? zero_by_hand(fd, offset, size) : -errno;
}

int file_discard(int fd, uint64_t offset, uint64_t size) {
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, (off_t)offset, (off_t)size) == 0)
        return 0;
    return errno == EOPNOTSUPP ? 0 : -errno; /* a discard is a wish */
}
