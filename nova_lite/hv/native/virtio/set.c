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

/* Both repeatable. */
static int start(struct virtio_set *set, struct virtio_device *device) {
    int result = set->loop.running ? 0 : loop_start(&set->loop);
    if (result == 0 && !device->started && device->kind->start != NULL)
        result = device->kind->start(device);
    device->started = device->started || result == 0;
    return result;
}

static void stop(struct virtio_device *device) {
    if (device->kind->stop != NULL)
        device->kind->stop(device);
    device->started = false;
}

/* Nothing uses it any more. */
static void drop(struct virtio_set *set, struct virtio_device *device) {
    unsigned index = 0;
    pci_bus_remove(&set->pci, device->number);
    while (set->devices[index] != device)
        index++;
    for (set->count--; index < set->count; index++)
        set->devices[index] = set->devices[index + 1];
    if (device->hooks.removed != NULL)
        device->hooks.removed(device->hooks.opaque, device);
    virtio_detach(device);
    free(device);
}

int virtio_set_add(struct virtio_set *set, struct virtio_device *device, const char *id) {
    if (device == NULL)
        return -ENOMEM;
    snprintf(device->id, sizeof(device->id), "%s", id);
    int result = virtio_attach(device, &set->host);
    if (result < 0) {
        free(device);
        return result;
    }
    set->devices[set->count++] = device; /* the bus has room for no more than these */
    if (device->hooks.added != NULL)
        result = device->hooks.added(device->hooks.opaque, device);
    if (result == 0 && set->started && !set->paused)
        result = start(set, device);
    if (result == 0)
        return 0;
    stop(device);
    drop(set, device);
    return result;
}

void virtio_set_refuse(struct virtio_set *set, struct virtio_device *device) {
    if (device == NULL)
        return;
    device->loop = &set->loop;
    if (device->kind->close != NULL)
        device->kind->close(device);
    free(device);
}

static int start_all(struct virtio_set *set) {
    int result = 0;
    for (unsigned i = 0; result == 0 && i < set->count; i++)
        result = start(set, set->devices[i]);
    return result;
}

int virtio_set_start(struct virtio_set *set) {
    int result = !set->loop_wanted || set->loop.running ? 0 : loop_start(&set->loop);
    if (result == 0)
        result = start_all(set);
    set->started = true;
    if (result < 0)
        virtio_set_stop(set);
    return result;
}

static void settle(struct virtio_device *device) {
    if (device->kind->settle != NULL)
        device->kind->settle(device);
}

static void settle_all(struct virtio_set *set) {
    for (unsigned i = 0; i < set->count; i++)
        settle(set->devices[i]);
}

int virtio_set_remove(struct virtio_set *set, struct virtio_device *device) {
    bool looped = set->loop.running;
    loop_stop(&set->loop); /* so that no event of the device's is on its way */
    stop(device);
    pthread_mutex_lock(&device->lock);
    virtio_reset(device);
    pthread_mutex_unlock(&device->lock);
    settle(device);
    drop(set, device);
    return looped ? loop_start(&set->loop) : 0;
}

static void open_gate(struct virtio_set *set) {
    if (set->paused)
        gate_open(&set->gate);
    set->paused = false;
}

void virtio_set_stop(struct virtio_set *set) {
    open_gate(set); /* threads that wait there could not end */
    for (unsigned i = 0; i < set->count; i++)
        stop(set->devices[i]);
    loop_stop(&set->loop);
    settle_all(set);
    set->started = false;
}

void virtio_set_pause(struct virtio_set *set) {
    if (!set->paused) {
        gate_close(&set->gate);
        settle_all(set);
    }
    set->paused = true;
}

int virtio_set_resume(struct virtio_set *set) {
    open_gate(set);
    return set->started ? start_all(set) : 0;
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
