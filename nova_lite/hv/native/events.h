/* What C threads report to Python: a short ring and an eventfd. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdbool.h>

#include "counter.h"
#include "interface.h"

#define NL_EVENT_RING 8

struct events {
    pthread_mutex_t lock;
    int fd;
    unsigned start, size;
    struct nl_event ring[NL_EVENT_RING];
    counter dropped;
};

int events_init(struct events *events);
void events_close(struct events *events);
void events_push(struct events *events, const struct nl_event *event);
bool events_pop(struct events *events, struct nl_event *event);
void events_clear(struct events *events);
