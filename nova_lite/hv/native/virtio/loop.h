/* The thread that waits for whatever concerns the devices: notifications, taps, sockets, timers. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/gate.h"

/* A descriptor that is waited for. It outlives the loop's thread; one with fd -1 is left alone. */
struct loop_source {
    int fd;
    void (*ready)(void *opaque, uint32_t events); /* in the loop's thread, inside the gate */
    void *opaque;
};

/* Something that has time, see loop_later. */
struct loop_later {
    void (*run)(void *opaque); /* in the loop's thread, inside the gate */
    void *opaque;
    bool waits;
    struct loop_later *next;
};

struct loop {
    int epoll_fd, stop_fd;
    struct loop_later *later;
    unsigned turns; /* since something waits there */
    struct gate *gate;
    pthread_t thread;
    bool running;
};

int loop_init(struct loop *loop, struct gate *gate);
void loop_destroy(struct loop *loop);
int loop_start(struct loop *loop);
/* Ends the thread; the sources stay. The gate must be open. */
void loop_stop(struct loop *loop);
/* ``events``: of epoll. 0 or a negative errno. */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_change(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source);
/* In the loop's thread: run it once the loop has had nothing to do for some milliseconds, or has had a few turns. */
void loop_later(struct loop *loop, struct loop_later *later);
/* Nothing of it any more. */
void loop_never(struct loop *loop, struct loop_later *later);
/* Serve what is ready, at most ``timeout_ms`` later; how many sources that were. For the thread, and for tests. */
int loop_turn(struct loop *loop, int timeout_ms);

/* Start a thread for devices: a small stack, no signals but those that cannot be put off. 0 or a negative errno. */
int device_thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *argument);
