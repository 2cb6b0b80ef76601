/* The machine's virtio devices as one thing: made, started, paused, reset, closed together. */
#include "virtio/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int virtio_set_init(struct virtio_set *set, struct bus *bus, const struct guest_memory *memory,
                    struct virtio_hooks hooks) {
    gate_init(&set->gate);
    int result = loop_init(&set->loop, &set->gate);
    if (result < 0) {
        gate_destroy(&set->gate);
        return result;
    }
    set->host = (struct virtio_host){
        .pci = &set->pci, .memory = memory, .gate = &set->gate, .loop = &set->loop, .hooks = hooks};
    if (pci_bus_init(&set->pci, bus))
        return 0;
    virtio_set_close(set);
    return -ENOSPC;
}

int virtio_set_add(struct virtio_set *set, struct virtio_device *device, const char *id) {
    if (device == NULL)
        return -ENOMEM;
    snprintf(device->id, sizeof(device->id), "%s", id);
    int result = virtio_attach(device, &set->host);
    if (result < 0)
        free(device);
    else
        set->devices[set->count++] = device; /* the bus has room for no more than these */
    return result;
}

int virtio_set_start(struct virtio_set *set) {
    int result = (set->count == 0 && !set->loop_wanted) || set->loop.running ? 0 : loop_start(&set->loop);
    for (unsigned i = 0; result == 0 && i < set->count; i++)
        if (set->devices[i]->kind->start != NULL)
            result = set->devices[i]->kind->start(set->devices[i]);
    if (result < 0)
        virtio_set_stop(set);
    return result;
}

static void settle(struct virtio_set *set) {
    for (unsigned i = 0; i < set->count; i++)
        if (set->devices[i]->kind->settle != NULL)
            set->devices[i]->kind->settle(set->devices[i]);
}

void virtio_set_stop(struct virtio_set *set) {
    virtio_set_resume(set); /* threads that wait at the gate could not end */
    for (unsigned i = 0; i < set->count; i++)
        if (set->devices[i]->kind->stop != NULL)
            set->devices[i]->kind->stop(set->devices[i]);
    loop_stop(&set->loop);
    settle(set);
}

void virtio_set_pause(struct virtio_set *set) {
    if (!set->paused) {
        gate_close(&set->gate);
        settle(set);
    }
    set->paused = true;
}

void virtio_set_resume(struct virtio_set *set) {
    if (set->paused)
        gate_open(&set->gate);
    set->paused = false;
}

void virtio_set_reset(struct virtio_set *set) {
    for (unsigned i = 0; i < set->count; i++)
        virtio_power_on(set->devices[i]);
    pci_bus_reset(&set->pci);
}

void virtio_set_close(struct virtio_set *set) {
    for (unsigned i = 0; i < set->count; i++) {
        virtio_detach(set->devices[i]);
        free(set->devices[i]);
    }
    set->count = 0;
    pci_bus_close(&set->pci);
    loop_destroy(&set->loop);
    gate_destroy(&set->gate);
}
