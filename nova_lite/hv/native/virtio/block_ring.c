/* A virtio-blk device on io_uring: whoever has its turn takes what waits in the queues, hands all of it to the kernel at
 * once and tells the guest of what has ended at once. That is the ring's thread or, for small requests to a disk that does
 * everything while it is asked, the vCPU that notifies: there a request costs no hand-over between threads. Requests that
 * are no plain transfer go to helpers, which may wait. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "virtio/block.h"

#define JOBS 64 /* requests under way; a power of two */
#define ROUNDS_UNTOLD 8
#define TURNS_QUICK 16
#define SMALL_BYTES (64u << 10) /* a request that a vCPU may serve itself */
#define ROUNDS_BY_VCPU 2
#define TURNS_ALONE 2
#define BY_VCPU_LEAST 64u
#define BY_VCPU_MOST 1024u

struct block_ring {
    struct uring uring; /* of the thread whose turn it is */
    /* Under the device's lock: */
    bool turning; /* a thread has its turn; it looks at everything once more after it has let go of the lock */
    bool held; /* a place in the gate is taken for what the kernel is at work on */
    unsigned placed; /* jobs in the ring */
    bool watched; /* the epoll tells of ends */
    unsigned turns_ended; /* one after another in which the kernel did all at once */
    bool small; /* what was asked for last */
    unsigned taken; /* requests, in the turn of the ring's thread */
    unsigned alone; /* its turns one after another that found one request */
    unsigned by_vcpu, by_vcpu_next; /* notifications that vCPUs serve before the thread has its next try */
    struct block_job *unused;
    unsigned begun; /* jobs that were ever used; the rest of their memory is untouched and costs nothing */
    struct block_job *slow, **slow_end; /* for the helpers, first come first served */
    pthread_cond_t slow_came;
    unsigned helpers;
    bool helpless; /* there should be some */
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
    ring->by_vcpu_next = BY_VCPU_LEAST;
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
            if (!block_next(block, i, &job->chain, !taken)) /* what was taken makes for another look */
                break;
            ring->unused = job->next;
            job->queue = i;
            device->in_flight++;
            ring->taken++;
            taken = true;
            now_ns = now_ns != 0 ? now_ns : monotonic_ns();
            enum block_step step = block_begin(block, job, now_ns);
            ring->small = step != BLOCK_FOR_BACKEND || job->request.size <= SMALL_BYTES;
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

/* The kernel does all at once. */
static bool quick(const struct block_ring *ring) {
    return ring->turns_ended >= TURNS_QUICK;
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

/* With the lock held, which is let go meanwhile: take up, hand to the kernel, end what has ended, until nothing is left
 * to do or for so many rounds; whether nothing is left. */
static bool take_turn(struct block *block, unsigned rounds_max) {
    struct virtio_device *device = &block->device;
    struct block_ring *ring = block->ring;
    bool more;
    unsigned rounds = 0;
    ring->turning = true;
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
        if (!more || ++rounds % ROUNDS_UNTOLD == 0 || rounds == rounds_max)
            tell(device);
    } while (more && rounds != rounds_max);
    ring->turning = false;
    return !more;
}

static void turn(struct block *block) {
    pthread_mutex_lock(&block->device.lock);
    if (!block->ring->turning)
        take_turn(block, UINT_MAX);
    pthread_mutex_unlock(&block->device.lock);
}

bool block_ring_notified(struct virtio_device *device) {
    struct block *block = device->state;
    struct block_ring *ring = block->ring;
    if (ring->turning) /* it is not over yet, and will find what there is */
        return false;
    if (!quick(ring) || !ring->small || ring->by_vcpu == 0 || ring->placed > 0 || ring->helpless)
        return true;
    ring->by_vcpu--;
    bool all = take_turn(block, ROUNDS_BY_VCPU);
    if (ring->placed > 0) {
        ring->turns_ended = 0; /* the ring's thread submits until the disk proves as quick again */
        if (!ring->held)
            gate_enter_beside(device->gate); /* the guest that is about to go on is not paused yet */
        ring->held = true;
    }
    return !all || ring->placed > 0;
}

/* With the lock held: wait for ends, unless the disk is one that does everything while it is asked: there each end would
 * come once more, as an event. */
static void watch_ends(struct block *block) {
    struct block_ring *ring = block->ring;
    ring->turns_ended = ring->placed > 0 ? 0 : ring->turns_ended + 1;
    bool wanted = ring->placed > 0 || (ring->watched && !quick(ring));
    if (wanted == ring->watched)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLET : 0, .data.u32 = BLOCK_RING_EVENT};
    ring->watched = epoll_ctl(block->epoll_fd, EPOLL_CTL_MOD, ring->uring.fd, &event) == 0 ? wanted : ring->watched;
}

/* Until the kernel is at work on nothing any more; no vCPU is in a turn. */
static void finish_all(struct block *block) {
    while (block->ring->placed > 0) {
        uring_submit(&block->ring->uring, true);
        turn(block);
    }
}

void block_ring_by_vcpu(struct block *block) {
    block->ring->turns_ended = TURNS_QUICK;
    block->ring->small = true;
    block->ring->by_vcpu = UINT_MAX;
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

/* With the lock held: a guest that has one request under way at a time waits for it, so the vCPU had better serve it; one
 * that goes on meanwhile has the thread serve many at once. Now and then the thread has a try, to see which it is. */
static void choose_server(struct block_ring *ring) {
    if (ring->taken == 1 && ++ring->alone >= TURNS_ALONE) {
        ring->by_vcpu = ring->by_vcpu_next;
        ring->by_vcpu_next = 2 * ring->by_vcpu < BY_VCPU_MOST ? 2 * ring->by_vcpu : BY_VCPU_MOST;
    } else if (ring->taken > 1) {
        ring->alone = ring->by_vcpu = 0;
        ring->by_vcpu_next = BY_VCPU_LEAST;
    }
}

/* A place in the gate, unless one is taken already for what is under way; whether it had to be taken. The gate closes after
 * the vCPUs have stopped: while it is closed, none of them takes that place. */
static bool enter(struct block *block) {
    pthread_mutex_lock(&block->device.lock);
    bool held = block->ring->held, inside = held || gate_try_enter(block->device.gate);
    block->ring->taken = 0;
    pthread_mutex_unlock(&block->device.lock);
    if (!inside)
        gate_enter(block->device.gate);
    return !held;
}

/* One place is kept while the kernel is at work on the guest's memory. Whether the disk is quick. */
static bool leave(struct block *block, bool entered) {
    struct block_ring *ring = block->ring;
    pthread_mutex_lock(&block->device.lock);
    watch_ends(block); /* tells at once of what has ended meanwhile */
    choose_server(ring);
    unsigned places = (unsigned)entered + ring->held;
    ring->held = ring->placed > 0;
    for (; places > ring->held; places--)
        gate_leave(block->device.gate);
    bool is_quick = quick(ring);
    pthread_mutex_unlock(&block->device.lock);
    return is_quick;
}

void block_ring_poll(struct block *block) {
    turn(block);
    finish_all(block);
    leave(block, false);
}

/* A patient thread does not push the vCPU that wakes it off a processor that they share: the guest asks for what else it
 * wants, all of it is done at once and it is interrupted once. One that waits for a slow disk is not patient. */
static void set_patient(bool *patient, bool wanted) {
    struct sched_param none = {0};
    if (*patient != wanted && pthread_setschedparam(pthread_self(), wanted ? SCHED_BATCH : SCHED_OTHER, &none) == 0)
        *patient = wanted;
}

static void *ring_main(void *opaque) {
    struct block *block = opaque;
    bool stop = false, patient = false;
    while (!stop) {
        struct epoll_event events[8];
        int count = epoll_wait(block->epoll_fd, events, 8, -1);
        bool entered = enter(block);
        for (int i = 0; i < count; i++)
            stop |= block_note(block, events[i].data.u32);
        turn(block);
        if (stop)
            finish_all(block);
        set_patient(&patient, leave(block, entered));
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
    ring->helpless = ring->helpers == 0;
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
