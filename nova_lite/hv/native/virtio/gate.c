/* The gate that a pause closes. */
#include "virtio/gate.h"

void gate_init(struct gate *gate) {
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->opened, NULL);
    pthread_cond_init(&gate->emptied, NULL);
    gate->closed = false;
    gate->inside = 0;
}

void gate_destroy(struct gate *gate) {
    pthread_cond_destroy(&gate->emptied);
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->lock);
}

void gate_enter(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    while (gate->closed)
        pthread_cond_wait(&gate->opened, &gate->lock);
    gate->inside++;
    pthread_mutex_unlock(&gate->lock);
}

bool gate_try_enter(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    bool open = !gate->closed;
    gate->inside += open;
    pthread_mutex_unlock(&gate->lock);
    return open;
}

void gate_enter_beside(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->inside++;
    pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    if (--gate->inside == 0 && gate->closed)
        pthread_cond_broadcast(&gate->emptied);
    pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->closed = true;
    while (gate->inside > 0)
        pthread_cond_wait(&gate->emptied, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->closed = false;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}
