/* The devices' thread: one epoll loop. */
#include "virtio/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)
#define BATCH 16
#define LATER_MS 4
#define LATER_TURNS 8

int loop_init(struct loop *loop, struct gate *gate) {
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = NULL};
    loop->gate = gate;
    loop->running = false;
    loop->later = NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll_fd >= 0 && loop->stop_fd >= 0 &&
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->stop_fd, &stop) == 0)
        return 0;
    int code = errno;
    loop_destroy(loop);
    return -code;
}

void loop_destroy(struct loop *loop) {
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->stop_fd >= 0)
        close(loop->stop_fd);
    loop->epoll_fd = loop->stop_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void loop_change(struct loop *loop, struct loop_source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct loop *loop, struct loop_source *source) {
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void loop_later(struct loop *loop, struct loop_later *later) {
    if (later->waits)
        return;
    if (loop->later == NULL)
        loop->turns = 0;
    later->waits = true;
    later->next = loop->later;
    loop->later = later;
}

void loop_never(struct loop *loop, struct loop_later *later) {
    for (struct loop_later **at = &loop->later; *at != NULL; at = &(*at)->next) {
        if (*at == later) {
            *at = later->next;
            break;
        }
    }
    later->waits = false;
}

static void run_later(struct loop *loop) {
    while (loop->later != NULL) {
        struct loop_later *later = loop->later;
        loop->later = later->next;
        later->waits = false;
        later->run(later->opaque);
    }
}

/* -1 when the loop shall stop. */
static int serve(struct loop *loop, int timeout_ms) {
    struct epoll_event events[BATCH];
    bool may_rest = timeout_ms < 0 || timeout_ms > LATER_MS;
    int count = epoll_wait(loop->epoll_fd, events, BATCH, loop->later != NULL && may_rest ? LATER_MS : timeout_ms);
    bool stop = false;
    if (count < 0 || (count == 0 && loop->later == NULL))
        return 0; /* EINTR: look again */
    gate_enter(loop->gate);
    for (int i = 0; i < count; i++) {
        struct loop_source *source = events[i].data.ptr;
        if (source == NULL)
            stop = true;
        else if (source->fd >= 0) /* another source's turn may have closed it */
            source->ready(source->opaque, events[i].events);
    }
    if (loop->later != NULL && (count == 0 || ++loop->turns > LATER_TURNS))
        run_later(loop);
    gate_leave(loop->gate);
    return stop ? -1 : count;
}

int loop_turn(struct loop *loop, int timeout_ms) {
    return serve(loop, timeout_ms);
}

static void *loop_main(void *opaque) {
    struct loop *loop = opaque;
    while (serve(loop, -1) >= 0)
        continue;
    return NULL;
}

int device_thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *argument) {
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    pthread_attr_t attributes;
    sigset_t mask, before;
    size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, least > STACK_SIZE ? least : STACK_SIZE);
    sigfillset(&mask);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        sigdelset(&mask, open[i]);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int code = pthread_create(thread, &attributes, main, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code == 0)
        pthread_setname_np(*thread, name);
    return -code;
}

int loop_start(struct loop *loop) {
    int result = device_thread_start(&loop->thread, "devices", loop_main, loop);
    loop->running = result == 0;
    return result;
}

void loop_stop(struct loop *loop) {
    eventfd_t count;
    if (!loop->running)
        return;
    eventfd_write(loop->stop_fd, 1);
    pthread_join(loop->thread, NULL);
    eventfd_read(loop->stop_fd, &count);
    loop->running = false;
}
