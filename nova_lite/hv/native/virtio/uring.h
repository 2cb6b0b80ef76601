/* A small io_uring, by its system calls: transfers between memory and files. For one thread. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_uring_sqe;
struct io_uring_cqe;

struct uring {
    int fd; /* readable while ends wait; -1: there is none */
    unsigned prepared; /* and not submitted */
    unsigned entries, sq_mask, cq_mask;
    unsigned *sq_head, *sq_tail, *sq_array, *cq_head, *cq_tail;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *rings;
    size_t rings_size, sqes_size;
};

/* 0 or a negative errno: a host may lack io_uring or forbid it. ``entries``: a power of two. */
int uring_open(struct uring *uring, unsigned entries);
void uring_close(struct uring *uring);
/* Ask for a transfer; ``pieces`` must stand until it is submitted. False when ``entries`` are prepared already. */
bool uring_prepare(struct uring *uring, bool write, int fd, const struct iovec *pieces, unsigned count,
                   uint64_t offset, void *token);
/* Begin what is prepared, as much as the kernel takes; the rest stays prepared. ``wait``: until one has ended. */
void uring_submit(struct uring *uring, bool wait);
/* Unprepare what was prepared last: its token. */
void *uring_take_back(struct uring *uring);
/* A transfer that has ended, and what came of it: bytes or a negative errno. NULL: none. */
void *uring_reap(struct uring *uring, int32_t *result);
