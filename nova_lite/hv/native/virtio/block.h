/* The inside of a virtio-blk device, shared by its files. No KVM in here. */
#pragma once
#include "virtio/block_backend.h"
#include "virtio/rate_limiter.h"
#include "virtio/uring.h"
#include "virtio/virtio.h"

#define BLOCK_THREADS 4

/* What an event of the device's epoll means; below these, a queue. */
#define BLOCK_TIMER_EVENT 1000
#define BLOCK_STOP_EVENT 1001
#define BLOCK_RING_EVENT 1002

struct block_ring;

enum {
    BLOCK_READ_BYTES,
    BLOCK_READ_OPS,
    BLOCK_WRITE_BYTES,
    BLOCK_WRITE_OPS,
    BLOCK_FLUSH_OPS,
    BLOCK_DISCARD_OPS,
    BLOCK_ERRORS,
    BLOCK_LIMITED,
    BLOCK_READ_LATENCY, /* from here on microseconds: least, most, mean; 0 before the first */
    BLOCK_WRITE_LATENCY = BLOCK_READ_LATENCY + 3,
};

/* How long requests took that moved data, from the guest's queue to the status. */
struct block_latency {
    counter count, total_ns, least_ns, most_ns;
};

struct block {
    struct virtio_device device;
    struct block_backend *backend;
    bool read_only, discard;
    uint64_t sectors;
    char serial[20];
    struct rate_limiter limiter; /* under the device's lock */
    struct rate_limit_group *group; /* or NULL; its limits hold in place of these */
    struct block_latency latencies[2]; /* of reads, of writes */
    /* block_log.c: what has been written, as long as somebody asks for it. */
    _Atomic bool logged;
    unsigned part_bits;
    uint64_t written_words;
    _Atomic uint64_t *written;
    struct block_ring *ring; /* NULL: each thread does requests to their end, see block_threads.c */
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
    uint64_t begun_ns;
    unsigned queue;
    struct block_job *next;
};

enum block_step { BLOCK_NO_REQUEST, BLOCK_DONE, BLOCK_FOR_BACKEND };

/* Read the request in ``job->chain``. BLOCK_DONE: its status stands already; BLOCK_FOR_BACKEND: ``job->request`` is to
 * be done, then block_end. Called by several threads. */
enum block_step block_begin(struct block *block, struct block_job *job, uint64_t now_ns);
/* The backend's result, 0 or a negative errno, becomes the guest's. */
void block_end(struct block *block, struct block_job *job, int result, uint64_t now_ns);
uint64_t block_request_bytes(const struct chain *chain);

/* block_threads.c: the device's threads, on io_uring where the host has it. */
int block_threads_init(struct block *block, bool may_ring);
int block_threads_start(struct virtio_device *device);
void block_threads_stop(struct virtio_device *device);
void block_threads_close(struct block *block);
/* With the lock held: the next request of the queue. When it is false, the timer comes for what follows or, if ``last``, a
 * kick; otherwise the caller looks again. */
bool block_next(struct block *block, unsigned index, struct chain *chain, bool last);
/* Take note of an event of the epoll; whether it is the end. */
bool block_note(struct block *block, uint32_t event);
/* Serve what waits in all queues, to the end. For tests, without threads. */
void block_poll(struct block *block);

/* block_ring.c. 0 or a negative errno: */
int block_ring_init(struct block *block);
int block_ring_start(struct block *block);
/* The end has been announced. */
void block_ring_stop(struct block *block);
void block_ring_close(struct block *block);
/* In the thread of the vCPU that notifies, with the lock held: begin what waits and end what is done, where that is the
 * quicker way; whether it is left to the ring's thread. */
bool block_ring_notified(struct virtio_device *device);
/* For tests, without threads: begin and end all; let vCPUs serve the disk from now on, unless it turns out slow. */
void block_ring_poll(struct block *block);
void block_ring_by_vcpu(struct block *block);

/* The disk of a device; NULL if it is none. */
struct block *block_of(struct virtio_device *device);

/* block_log.c, for one thread beside the device's own. */
/* Take note of writes that end from now on; log2 of the size of the parts, or a negative errno. */
int block_log_start(struct block *block);
void block_log_stop(struct block *block);
/* A request has ended, whatever came of it. */
void block_log_note(struct block *block, const struct block_request *request);
/* The bits since the last time, from the first part on; how many words there are, or -ENODATA: nobody takes note. */
int64_t block_log_take(struct block *block, uint64_t *words, uint64_t room);
