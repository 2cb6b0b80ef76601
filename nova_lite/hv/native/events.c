/* The ring of events. The eventfd's count is set while the ring is not empty and cleared with its last event. */
#include "events.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int events_init(struct events *events) {
    events->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (events->fd < 0)
        return -errno;
    pthread_mutex_init(&events->lock, NULL);
    return 0;
}

void events_close(struct events *events) {
    close(events->fd);
    pthread_mutex_destroy(&events->lock);
}

void events_push(struct events *events, const struct nl_event *event) {
    pthread_mutex_lock(&events->lock);
    if (events->size == NL_EVENT_RING) {
        count_shared(&events->dropped, 1);
    } else {
        events->ring[(events->start + events->size++) % NL_EVENT_RING] = *event;
        eventfd_write(events->fd, 1);
    }
    pthread_mutex_unlock(&events->lock);
}

static void quiet(struct events *events) {
    eventfd_t count;
    eventfd_read(events->fd, &count);
}

bool events_pop(struct events *events, struct nl_event *event) {
    pthread_mutex_lock(&events->lock);
    bool found = events->size > 0;
    if (found) {
        *event = events->ring[events->start];
        events->start = (events->start + 1) % NL_EVENT_RING;
        events->size--;
    }
    if (events->size == 0)
        quiet(events);
    pthread_mutex_unlock(&events->lock);
    return found;
}

void events_clear(struct events *events) {
    pthread_mutex_lock(&events->lock);
    events->size = 0;
    quiet(events);
    pthread_mutex_unlock(&events->lock);
}
