/* The threads of a virtio-blk device, and what they do where there is no io_uring: whoever wakes up takes a request and
 * does it to the end, at queue depth 1 one wake-up a request and no hand-over. A thread that sees more waiting wakes
 * another before it begins. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "virtio/block.h"

static int watch(struct block *block, int fd, uint32_t number) {
    /* Edge-triggered: one write wakes one thread. The end is for all of them. */
    struct epoll_event event = {.events = number == BLOCK_STOP_EVENT ? EPOLLIN : EPOLLIN | EPOLLET, .data.u32 = number};
    return epoll_ctl(block->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int block_threads_init(struct block *block, bool may_ring) {
    block->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    block->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    block->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (block->epoll_fd >= 0 && block->timer_fd >= 0 && block->stop_fd >= 0 &&
        watch(block, block->timer_fd, BLOCK_TIMER_EVENT) == 0 && watch(block, block->stop_fd, BLOCK_STOP_EVENT) == 0) {
        if (may_ring)
            block_ring_init(block); /* old, forbidden or full: then without */
        return 0;
    }
    int code = errno;
    block_threads_close(block);
    return -code;
}

void block_threads_close(struct block *block) {
    block_ring_close(block);
    int *const fds[] = {&block->epoll_fd, &block->timer_fd, &block->stop_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* With the lock held: whether the request may go on now; if not, the timer will wake a thread for it. */
static bool within_limits(struct block *block, const struct chain *chain) {
    if (block->group == NULL && !rate_limiter_limits(&block->limiter))
        return true;
    uint64_t size = block_request_bytes(chain), now = monotonic_ns();
    uint64_t wait = block->group != NULL ? rate_limit_group_take(block->group, size, now)
                                         : rate_limiter_take(&block->limiter, size, now);
    if (wait == 0)
        return true;
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)}};
    timerfd_settime(block->timer_fd, 0, &timer, NULL);
    count_shared(&block->device.counters[BLOCK_LIMITED].value, 1);
    return false;
}

bool block_next(struct block *block, unsigned index, struct chain *chain, bool last) {
    struct virtio_device *device = &block->device;
    struct virtqueue *queue = &device->queues[index];
    do {
        virtqueue_hold_kicks(queue);
        if (virtio_pop(device, index, chain)) {
            if (within_limits(block, chain))
                return true;
            virtqueue_unpop(queue);
            return false;
        }
    } while (last && virtqueue_await_kicks(queue));
    return false;
}

/* One thread's turn at a queue: requests until there are none that it may serve. */
static void drain(struct block *block, unsigned index) {
    struct virtio_device *device = &block->device;
    struct virtqueue *queue = &device->queues[index];
    struct block_job job;
    pthread_mutex_lock(&device->lock);
    while (virtio_running(device) && queue->ready && block_next(block, index, &job.chain, true)) {
        device->in_flight++;
        if (block->waiting > 0 && !block->helper_called && virtqueue_waiting(queue)) {
            block->helper_called = true;
            virtio_kick(device, index);
        }
        pthread_mutex_unlock(&device->lock);
        enum block_step step = block_begin(block, &job, monotonic_ns());
        if (step == BLOCK_FOR_BACKEND) {
            int result = block->backend->kind->perform(block->backend, &job.request);
            block_end(block, &job, result, monotonic_ns());
        }
        pthread_mutex_lock(&device->lock);
        if (virtio_running(device)) { /* else the driver has given up on it */
            if (step == BLOCK_NO_REQUEST)
                virtio_fail(device);
            else
                virtqueue_push(queue, job.chain.head, job.written);
            virtio_tell(device, index);
        }
        if (--device->in_flight == 0)
            pthread_cond_broadcast(&device->idle);
    }
    pthread_mutex_unlock(&device->lock);
}

void block_poll(struct block *block) {
    if (block->ring != NULL)
        block_ring_poll(block);
    for (unsigned i = 0; block->ring == NULL && i < block->device.queue_count; i++)
        drain(block, i);
}

bool block_note(struct block *block, uint32_t event) {
    uint64_t count;
    if (event == BLOCK_TIMER_EVENT && read(block->timer_fd, &count, sizeof(count)) < 0)
        return false; /* another thread has it */
    if (event < block->device.queue_count && !block->device.served_by_vcpu) /* the eventfd is not read: each write wakes an edge-triggered epoll */
        count_shared(&block->device.notifications, 1);
    return event == BLOCK_STOP_EVENT; /* it stays readable until all threads have seen it */
}

static void set_waiting(struct block *block, bool waits) {
    pthread_mutex_lock(&block->device.lock);
    if (waits)
        block->waiting++;
    else
        block->waiting--;
    if (!waits)
        block->helper_called = false;
    pthread_mutex_unlock(&block->device.lock);
}

static void *block_main(void *opaque) {
    struct block *block = opaque;
    for (;;) {
        struct epoll_event event;
        set_waiting(block, true);
        int count = epoll_wait(block->epoll_fd, &event, 1, -1);
        set_waiting(block, false);
        if (count != 1)
            continue;
        if (block_note(block, event.data.u32))
            return NULL;
        gate_enter(block->device.gate);
        for (unsigned i = 0; i < block->device.queue_count; i++)
            if (event.data.u32 == i || event.data.u32 == BLOCK_TIMER_EVENT)
                drain(block, i);
        gate_leave(block->device.gate);
    }
}

int block_threads_start(struct virtio_device *device) {
    struct block *block = device->state;
    int result = 0;
    for (unsigned i = 0; i < device->queue_count && block->thread_count == 0 && result == 0; i++)
        if (watch(block, device->queues[i].kick_fd, i) < 0 && errno != EEXIST)
            result = -errno;
    if (result == 0 && block->ring != NULL && block->thread_count == 0)
        return block_ring_start(block);
    while (result == 0 && block->thread_count < BLOCK_THREADS) {
        result = device_thread_start(&block->threads[block->thread_count], "block", block_main, block);
        block->thread_count += result == 0;
    }
    return result;
}

void block_threads_stop(struct virtio_device *device) {
    struct block *block = device->state;
    eventfd_t count;
    eventfd_write(block->stop_fd, 1);
    if (block->ring != NULL && block->thread_count > 0)
        block_ring_stop(block);
    while (block->thread_count > 0)
        pthread_join(block->threads[--block->thread_count], NULL);
    eventfd_read(block->stop_fd, &count);
}
