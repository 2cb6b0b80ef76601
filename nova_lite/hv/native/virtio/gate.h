/* Keeps the threads of the devices off the guest's memory while the machine is paused. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdbool.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened, emptied;
    bool closed;
    unsigned inside;
};

void gate_init(struct gate *gate);
void gate_destroy(struct gate *gate);
/* Waits while it is closed. */
void gate_enter(struct gate *gate);
/* False when it is closed. */
bool gate_try_enter(struct gate *gate);
/* Once more for another thread, which shall leave: by one who is inside, so it never waits. */
void gate_enter_beside(struct gate *gate);
void gate_leave(struct gate *gate);
/* Returns when nobody is inside; nobody gets in until it is opened. */
void gate_close(struct gate *gate);
void gate_open(struct gate *gate);
