/* A virtio-blk device on io_uring: one thread takes what waits in the queues, hands all of it to the kernel at once and
 * tells the guest of what has ended at once. Requests that are no plain transfer go to helpers, which may wait. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "virtio/block.h"

#define JOBS 64 /* requests under way; a power of two */
#define ROUNDS_UNTOLD 8
#define TURNS_UNWATCHED 16

struct block_ring {
    struct uring uring;
    /* Of the ring's thread alone: */
    unsigned placed; /* jobs in the ring */
    bool watched; /* the epoll tells of ends */
    unsigned turns_ended; /* one after another in which the kernel did all at once */
    /* Under the device's lock: */
    struct block_job *unused;
    unsigned begun; /* jobs that were ever used; the rest of their memory is untouched and costs nothing */
    struct block_job *slow, **slow_end; /* for the helpers, first come first served */
    pthread_cond_t slow_came;
    unsigned helpers;
    bool starved; /* requests wait for an unused job */
    bool ending;
    struct block_job jobs[JOBS];
};

int block_ring_init(struct block *block) {
    struct block_ring *ring = calloc(1, sizeof(*ring));
    int result = ring == NULL ? -ENOMEM : uring_open(&ring->uring, JOBS);
    if (result < 0) {
        free(ring);
        return result;
    }
    ring->slow_end = &ring->slow;
    pthread_cond_init(&ring->slow_came, NULL);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = BLOCK_RING_EVENT};
    ring->watched = true;
    block->ring = ring;
    if (epoll_ctl(block->epoll_fd, EPOLL_CTL_ADD, ring->uring.fd, &event) == 0)
        return 0;
    result = -errno;
    block_ring_close(block);
    return result;
}

void block_ring_close(struct block *block) {
    if (block->ring == NULL)
        return;
    uring_close(&block->ring->uring);
    pthread_cond_destroy(&block->ring->slow_came);
    free(block->ring);
    block->ring = NULL;
}

/* With the lock held: the job's chain goes back to the guest. */
static void finish(struct block *block, struct block_job *job, enum block_step step) {
    struct virtio_device *device = &block->device;
    struct block_ring *ring = block->ring;
    if (virtio_running(device)) { /* else the driver has given up on it */
        if (step == BLOCK_NO_REQUEST)
            virtio_fail(device);
        else
            virtqueue_push(&device->queues[job->queue], job->chain.head, job->written);
    }
    if (--device->in_flight == 0)
        pthread_cond_broadcast(&device->idle);
    job->next = ring->unused; /* the last one used is the first one used again: few pages serve */
    ring->unused = job;
}

/* With the lock held. */
static void tell(struct virtio_device *device) {
    for (unsigned i = 0; virtio_running(device) && i < device->queue_count; i++)
        if (device->queues[i].ready)
            virtio_tell(device, i);
}

/* With the lock held, which is let go: do a job to its end, here. */
static void do_slowly(struct block *block, struct block_job *job) {
    struct virtio_device *device = &block->device;
    pthread_mutex_unlock(&device->lock);
    int result = block->backend->kind->perform(block->backend, &job->request);
    block_end(block, job, result, monotonic_ns());
    pthread_mutex_lock(&device->lock);
    finish(block, job, BLOCK_DONE);
}

/* With the lock held. */
static void hand_over(struct block *block, struct block_job *job) {
    struct block_ring *ring = block->ring;
    if (ring->helpers == 0) {
        do_slowly(block, job);
        return;
    }
    gate_enter_beside(block->device.gate); /* left by the helper */
    job->next = NULL;
    *ring->slow_end = job;
    ring->slow_end = &job->next;
    pthread_cond_signal(&ring->slow_came);
}

static bool place(struct block *block, struct block_job *job) {
    const struct block_request *request = &job->request;
    struct block_place found;
    bool write = request->operation == BLOCK_WRITE;
    if ((!write && request->operation != BLOCK_READ) || block->backend->kind->place == NULL ||
        !block->backend->kind->place(block->backend, request, &found))
        return false;
    return uring_prepare(&block->ring->uring, write, found.fd, request->pieces, request->count, found.offset, job);
}

/* With the lock held: take requests as long as there are any that may be served; whether there was one. */
static bool take_up(struct block *block) {
    struct virtio_device *device = &block->device;
    struct block_ring *ring = block->ring;
    bool taken = false;
    uint64_t now_ns = 0; /* one look at the clock does for all of them */
    ring->starved = false;
    for (unsigned i = 0; i < device->queue_count; i++) {
        while (virtio_running(device) && device->queues[i].ready) {
            if (ring->unused == NULL && ring->begun < JOBS)
                ring->unused = &ring->jobs[ring->begun++];
            struct block_job *job = ring->unused;
            if (job == NULL) {
                ring->starved = true;
                return taken;
            }
            if (!block_next(block, i, &job->chain))
                break;
            ring->unused = job->next;
            job->queue = i;
            device->in_flight++;
            taken = true;
            now_ns = now_ns != 0 ? now_ns : monotonic_ns();
            enum block_step step = block_begin(block, job, now_ns);
            if (step != BLOCK_FOR_BACKEND)
                finish(block, job, step);
            else if (place(block, job))
                ring->placed++;
            else
                hand_over(block, job);
        }
    }
    return taken;
}

/* With the lock held: what the kernel has ended; whether there was anything. */
static bool reap(struct block *block) {
    struct block_ring *ring = block->ring;
    struct block_job *job;
    int32_t result;
    bool any = false;
    uint64_t now_ns = 0;
    while ((job = uring_reap(&ring->uring, &result)) != NULL) {
        ring->placed--;
        any = true;
        if (result >= 0 && (uint64_t)result == job->request.size) {
            now_ns = now_ns != 0 ? now_ns : monotonic_ns();
            block_end(block, job, 0, now_ns);
            finish(block, job, BLOCK_DONE);
        } else { /* refused, or not all of it: once more, with time */
            hand_over(block, job);
        }
    }
    return any;
}

void block_ring_turn(struct block *block) {
    struct virtio_device *device = &block->device;
    struct block_ring *ring = block->ring;
    bool more;
    unsigned rounds = 0;
    pthread_mutex_lock(&device->lock);
    do {
        more = take_up(block);
        if (ring->uring.prepared > 0) {
            pthread_mutex_unlock(&device->lock); /* a request that the page cache has is done in here */
            uring_submit(&ring->uring, false);
            pthread_mutex_lock(&device->lock);
        }
        while (ring->uring.prepared > 0) { /* the kernel has no room for them */
            ring->placed--;
            hand_over(block, uring_take_back(&ring->uring));
        }
        more |= reap(block);
        /* A guest that keeps more coming is not interrupted for each; but it does not wait for the last one either. */
        if (!more || ++rounds % ROUNDS_UNTOLD == 0)
            tell(device);
    } while (more);
    pthread_mutex_unlock(&device->lock);
}

bool block_ring_busy(const struct block *block) {
    return block->ring->placed > 0;
}

/* Wait for ends, unless the disk is one that does everything while it is asked: there each end would come once more, as
 * an event. */
static void watch_ends(struct block *block) {
    struct block_ring *ring = block->ring;
    bool busy = block_ring_busy(block);
    ring->turns_ended = busy ? 0 : ring->turns_ended + 1;
    bool wanted = busy || (ring->watched && ring->turns_ended < TURNS_UNWATCHED);
    if (wanted == ring->watched)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLET : 0, .data.u32 = BLOCK_RING_EVENT};
    ring->watched = epoll_ctl(block->epoll_fd, EPOLL_CTL_MOD, ring->uring.fd, &event) == 0 ? wanted : ring->watched;
}

void block_ring_finish(struct block *block) {
    while (block_ring_busy(block)) {
        uring_submit(&block->ring->uring, true);
        block_ring_turn(block);
    }
}

static void *help(void *opaque) {
    struct block *block = opaque;
    struct virtio_device *device = &block->device;
    struct block_ring *ring = block->ring;
    pthread_mutex_lock(&device->lock);
    while (ring->slow != NULL || !ring->ending) {
        struct block_job *job = ring->slow;
        if (job == NULL) {
            pthread_cond_wait(&ring->slow_came, &device->lock);
            continue;
        }
        ring->slow = job->next;
        if (ring->slow == NULL)
            ring->slow_end = &ring->slow;
        unsigned queue = job->queue;
        do_slowly(block, job);
        tell(device);
        if (ring->starved)
            virtio_kick(device, queue);
        gate_leave(device->gate);
    }
    pthread_mutex_unlock(&device->lock);
    return NULL;
}

static void *ring_main(void *opaque) {
    struct block *block = opaque;
    bool stop = false, inside = false;
    while (!stop) {
        struct epoll_event events[8];
        int count = epoll_wait(block->epoll_fd, events, 8, -1);
        if (!inside)
            gate_enter(block->device.gate);
        for (int i = 0; i < count; i++)
            stop |= block_note(block, events[i].data.u32);
        block_ring_turn(block);
        if (stop)
            block_ring_finish(block);
        watch_ends(block); /* tells at once of what has ended meanwhile */
        inside = block_ring_busy(block); /* the kernel is at work on the guest's memory */
        if (!inside)
            gate_leave(block->device.gate);
    }
    return NULL;
}

int block_ring_start(struct block *block) {
    struct block_ring *ring = block->ring;
    ring->ending = false;
    int result = device_thread_start(&block->threads[0], "block", ring_main, block);
    if (result < 0)
        return result;
    block->thread_count = 1;
    while (block->thread_count < BLOCK_THREADS && result == 0) {
        result = device_thread_start(&block->threads[block->thread_count], "block helper", help, block);
        block->thread_count += result == 0;
    }
    pthread_mutex_lock(&block->device.lock);
    ring->helpers = block->thread_count - 1; /* with none, the ring's thread does all */
    pthread_mutex_unlock(&block->device.lock);
    return 0;
}

void block_ring_stop(struct block *block) {
    struct block_ring *ring = block->ring;
    pthread_join(block->threads[0], NULL); /* from then on nobody hands anything over */
    pthread_mutex_lock(&block->device.lock);
    ring->ending = true;
    pthread_cond_broadcast(&ring->slow_came);
    pthread_mutex_unlock(&block->device.lock);
    while (block->thread_count > 1)
        pthread_join(block->threads[--block->thread_count], NULL);
    block->thread_count = 0;
    ring->helpers = 0;
}
