/* The inside of a virtio-blk device, shared by its files. No KVM in here. */
#pragma once
#include "virtio/block_backend.h"
#include "virtio/rate_limiter.h"
#include "virtio/virtio.h"

#define BLOCK_THREADS 4

enum {
    BLOCK_READ_BYTES,
    BLOCK_READ_OPS,
    BLOCK_WRITE_BYTES,
    BLOCK_WRITE_OPS,
    BLOCK_FLUSH_OPS,
    BLOCK_DISCARD_OPS,
    BLOCK_ERRORS,
    BLOCK_LIMITED,
};

struct block {
    struct virtio_device device;
    struct block_backend *backend;
    bool read_only, discard;
    uint64_t sectors;
    char serial[20];
    struct rate_limiter limiter; /* under the device's lock */
    /* The threads wait at this epoll for kicks, for the limiter's timer and for the end. */
    int epoll_fd, timer_fd, stop_fd;
    pthread_t threads[BLOCK_THREADS];
    unsigned thread_count;
    /* Under the device's lock: */
    unsigned waiting;
    bool helper_called; /* and has not come yet */
};

/* A request on its way from its chain to its status. */
struct block_job {
    struct chain chain;
    struct block_request request;
    uint8_t *status_at;
    uint32_t written; /* what the guest is told of the chain */
};

enum block_step { BLOCK_NO_REQUEST, BLOCK_DONE, BLOCK_FOR_BACKEND };

/* Read the request in ``job->chain``. BLOCK_DONE: its status stands already; BLOCK_FOR_BACKEND: ``job->request`` is to
 * be done, then block_end. Called by several threads. */
enum block_step block_begin(struct block *block, struct block_job *job);
/* The backend's result, 0 or a negative errno, becomes the guest's. */
void block_end(struct block *block, struct block_job *job, int result);
uint64_t block_request_bytes(const struct chain *chain);

/* block_threads.c */
int block_threads_init(struct block *block);
int block_threads_start(struct virtio_device *device);
void block_threads_stop(struct virtio_device *device);
void block_threads_close(struct block *block);
/* One thread's turn at queue ``index``: requests until there are none that it may serve. For the threads, and for
 * tests. */
void block_drain(struct block *block, unsigned index);
