/* io_uring's rings as io_uring(7) and io_uring_setup(2) describe them; no library needed for as little as this. */
#include "virtio/uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *map(int fd, size_t size, off_t what) {
    void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    return found == MAP_FAILED ? NULL : found;
}

int uring_open(struct uring *uring, unsigned entries) {
    struct io_uring_params given = {0};
    memset(uring, 0, sizeof(*uring));
    uring->fd = (int)syscall(SYS_io_uring_setup, entries, &given);
    if (uring->fd < 0)
        return -errno;
    size_t submissions = given.sq_off.array + given.sq_entries * sizeof(unsigned);
    size_t ends = given.cq_off.cqes + given.cq_entries * sizeof(struct io_uring_cqe);
    uring->rings_size = submissions > ends ? submissions : ends;
    uring->sqes_size = given.sq_entries * sizeof(struct io_uring_sqe);
    /* A kernel without these (before 5.5) would need more code than it is worth. */
    bool fit = (given.features & IORING_FEAT_SINGLE_MMAP) && (given.features & IORING_FEAT_SUBMIT_STABLE) &&
               (given.features & IORING_FEAT_NODROP);
    uring->rings = fit ? map(uring->fd, uring->rings_size, IORING_OFF_SQ_RING) : NULL;
    uring->sqes = fit ? map(uring->fd, uring->sqes_size, IORING_OFF_SQES) : NULL;
    if (uring->rings == NULL || uring->sqes == NULL) {
        uring_close(uring);
        return fit ? -ENOMEM : -ENOSYS;
    }
    uint8_t *rings = uring->rings;
    uring->sq_head = (unsigned *)(void *)(rings + given.sq_off.head);
    uring->sq_tail = (unsigned *)(void *)(rings + given.sq_off.tail);
    uring->sq_array = (unsigned *)(void *)(rings + given.sq_off.array);
    uring->cq_head = (unsigned *)(void *)(rings + given.cq_off.head);
    uring->cq_tail = (unsigned *)(void *)(rings + given.cq_off.tail);
    uring->cqes = (struct io_uring_cqe *)(void *)(rings + given.cq_off.cqes);
    uring->sq_mask = given.sq_entries - 1;
    uring->cq_mask = given.cq_entries - 1;
    uring->entries = given.sq_entries;
    return 0;
}

void uring_close(struct uring *uring) {
    if (uring->rings != NULL)
        munmap(uring->rings, uring->rings_size);
    if (uring->sqes != NULL)
        munmap(uring->sqes, uring->sqes_size);
    if (uring->fd >= 0)
        close(uring->fd);
    memset(uring, 0, sizeof(*uring));
    uring->fd = -1;
}

bool uring_prepare(struct uring *uring, bool write, int fd, const struct iovec *pieces, unsigned count,
                   uint64_t offset, void *token) {
    if (uring->prepared == uring->entries)
        return false;
    unsigned tail = *uring->sq_tail, slot = tail & uring->sq_mask; /* ours alone */
    uring->sqes[slot] = (struct io_uring_sqe){.opcode = write ? IORING_OP_WRITEV : IORING_OP_READV,
                                              .fd = fd,
                                              .addr = (uintptr_t)pieces,
                                              .len = count,
                                              .off = offset,
                                              .user_data = (uintptr_t)token};
    uring->sq_array[slot] = slot;
    __atomic_store_n(uring->sq_tail, tail + 1, __ATOMIC_RELEASE);
    uring->prepared++;
    return true;
}

void uring_submit(struct uring *uring, bool wait) {
    long taken;
    do
        taken = syscall(SYS_io_uring_enter, uring->fd, uring->prepared, wait ? 1 : 0, wait ? IORING_ENTER_GETEVENTS : 0,
                        NULL, 0);
    while (taken < 0 && errno == EINTR);
    if (taken > 0)
        uring->prepared -= (unsigned)taken;
}

void *uring_take_back(struct uring *uring) {
    unsigned tail = *uring->sq_tail - 1; /* the kernel looks at it during io_uring_enter only */
    __atomic_store_n(uring->sq_tail, tail, __ATOMIC_RELEASE);
    uring->prepared--;
    return (void *)(uintptr_t)uring->sqes[tail & uring->sq_mask].user_data;
}

void *uring_reap(struct uring *uring, int32_t *result) {
    unsigned head = *uring->cq_head; /* ours alone */
    if (head == __atomic_load_n(uring->cq_tail, __ATOMIC_ACQUIRE))
        return NULL;
    const struct io_uring_cqe *end = &uring->cqes[head & uring->cq_mask];
    void *token = (void *)(uintptr_t)end->user_data;
    *result = end->res;
    __atomic_store_n(uring->cq_head, head + 1, __ATOMIC_RELEASE);
    return token;
}
