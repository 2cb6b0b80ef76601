/* What all virtio devices have in common beside the transport: life, queues, interrupts. */
#include "virtio/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void fire(void *opaque, unsigned vector, uint64_t address, uint32_t data) {
    struct virtio_device *device = opaque;
    if (device->hooks.fire != NULL)
        device->hooks.fire(device->hooks.opaque, device, vector, address, data);
}

bool virtio_running(const struct virtio_device *device) {
    return (device->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) == VIRTIO_CONFIG_S_DRIVER_OK;
}

bool virtio_has(const struct virtio_device *device, unsigned feature) {
    return device->accepted >> feature & 1;
}

/* Whether it is left to the device's own threads. */
static bool serve(struct virtio_device *device, unsigned queue) {
    bool left = false;
    pthread_mutex_lock(&device->lock);
    count_shared(&device->notifications, 1);
    if (virtio_running(device) && device->queues[queue].ready) {
        if (device->kind->own_threads)
            left = device->kind->notified(device);
        else
            device->kind->process(device, queue);
    }
    pthread_mutex_unlock(&device->lock);
    return left;
}

/* In the loop: the guest has notified a queue, or the device itself. */
static void on_kick(void *opaque, uint32_t events) {
    struct virtio_kick *kick = opaque;
    (void)events; /* the eventfd is not read: each write wakes an edge-triggered epoll */
    serve(kick->device, (unsigned)(kick - kick->device->kicks));
}

static void reset_state(struct virtio_device *device) {
    device->status = device->interrupt_status = 0;
    device->accepted = 0;
    device->offered_select = device->accepted_select = 0;
    device->config_vector = NO_VECTOR;
    device->queue_select = 0;
    for (unsigned i = 0; i < device->queue_count; i++)
        virtqueue_reset(&device->queues[i]);
    memcpy(device->config, device->config_initial, sizeof(device->config));
}

int virtio_attach(struct virtio_device *device, const struct virtio_host *host) {
    device->memory = host->memory;
    device->gate = host->gate;
    device->loop = host->loop;
    device->hooks = host->hooks;
    device->offered |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX;
    memcpy(device->config_initial, device->config, sizeof(device->config));
    pthread_mutex_init(&device->lock, NULL);
    pthread_cond_init(&device->idle, NULL);
    msix_init(&device->msix, device->queue_count + 1, (struct msix_hook){fire, device});
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
        device->queues[i].kick_fd = -1;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < device->queue_count; i++) {
        struct virtqueue *queue = &device->queues[i];
        queue->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        device->kicks[i] =
            (struct virtio_kick){.source = {queue->kick_fd, on_kick, &device->kicks[i]}, .device = device};
        if (queue->kick_fd < 0)
            result = -errno;
        else if (!device->kind->own_threads)
            result = loop_add(device->loop, &device->kicks[i].source, EPOLLIN | EPOLLET);
    }
    reset_state(device);
    if (result == 0 && device->kind->attached != NULL)
        result = device->kind->attached(device);
    if (result == 0 && (!transport_init(device) || !pci_bus_add(host->pci, &device->function, &device->number)))
        result = -ENOSPC;
    if (result < 0)
        virtio_detach(device);
    return result;
}

void virtio_detach(struct virtio_device *device) {
    if (device->kind->close != NULL)
        device->kind->close(device);
    for (unsigned i = 0; i < device->queue_count; i++) {
        if (device->queues[i].kick_fd < 0)
            continue;
        loop_remove(device->loop, &device->kicks[i].source);
        close(device->queues[i].kick_fd);
    }
    msix_close(&device->msix);
    pthread_cond_destroy(&device->idle);
    pthread_mutex_destroy(&device->lock);
}

void virtio_reset(struct virtio_device *device) {
    bool ran = device->status & VIRTIO_CONFIG_S_DRIVER_OK;
    device->status = 0; /* so that nobody takes up anything new */
    while (device->in_flight > 0)
        pthread_cond_wait(&device->idle, &device->lock);
    if (ran && device->hooks.notify_at != NULL)
        device->hooks.notify_at(device->hooks.opaque, device, PCI_NOT_DECODED);
    if (device->kind->reset != NULL)
        device->kind->reset(device);
    reset_state(device);
    count_shared(&device->resets, 1);
}

void virtio_power_on(struct virtio_device *device) {
    eventfd_t count;
    pthread_mutex_lock(&device->lock);
    virtio_reset(device);
    device->generation = 0;
    for (unsigned i = 0; i < device->queue_count; i++)
        eventfd_read(device->queues[i].kick_fd, &count);
    pthread_mutex_unlock(&device->lock);
    msix_reset(&device->msix);
}

static void interrupt(struct virtio_device *device, uint16_t vector, uint8_t cause) {
    if (!device->msix.enabled) /* there is no wire behind it; a driver may read it all the same */
        device->interrupt_status |= cause;
    count_shared(&device->interrupts, 1);
    msix_fire(&device->msix, vector);
}

void virtio_interrupt(struct virtio_device *device, unsigned queue) {
    interrupt(device, device->queues[queue].vector, 1);
}

void virtio_config_changed(struct virtio_device *device) {
    device->generation++;
    if (device->status & VIRTIO_CONFIG_S_DRIVER_OK)
        interrupt(device, device->config_vector, 2);
}

void virtio_fail(struct virtio_device *device) {
    if (device->status & VIRTIO_CONFIG_S_NEEDS_RESET)
        return;
    count_shared(&device->broken, 1);
    device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    virtio_config_changed(device);
}

bool virtio_pop(struct virtio_device *device, unsigned queue, struct chain *chain) {
    if (!virtio_running(device))
        return false;
    if (virtqueue_pop(&device->queues[queue], chain))
        return true;
    if (device->queues[queue].broken)
        virtio_fail(device);
    return false;
}

void virtio_tell(struct virtio_device *device, unsigned queue) {
    if (virtqueue_wants_interrupt(&device->queues[queue]))
        interrupt(device, device->queues[queue].vector, 1);
}

void virtio_kick(struct virtio_device *device, unsigned queue) {
    eventfd_write(device->queues[queue].kick_fd, 1);
}

bool virtio_served_by_vcpu(const struct virtio_device *device, unsigned queue) {
    return device->served_by_vcpu >> queue & 1;
}

void virtio_notified(struct virtio_device *device, unsigned queue) {
    if (!virtio_served_by_vcpu(device, queue) || serve(device, queue))
        virtio_kick(device, queue); /* without the lock, for which a thread that wakes up at once would wait */
}
