/* The state of virtio devices and of the bus they sit on, out and back. The machine is paused or not started yet, so
 * nothing is in flight: what a queue is made of, and where the device is in it, is all there is. */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtio/set.h"

struct saved_queue {
    uint64_t descriptors, available, used;
    uint16_t size, vector, next_available, next_used, told_used;
    uint8_t ready, broken;
    uint8_t padding[4];
};

struct saved_device {
    uint64_t offered, accepted, pending, extra;
    uint32_t offered_select, accepted_select, queue_count;
    uint16_t type, config_vector, queue_select;
    uint8_t status, interrupt_status, generation, msix_enabled, msix_masked;
    uint8_t padding;
    uint8_t config[VIRTIO_CONFIG_SIZE];
    uint32_t table[NL_MSIX_VECTORS][4];
    struct saved_queue queues[VIRTIO_QUEUES];
};

static void save_device(struct virtio_device *device, struct saved_state *state) {
    struct saved_device saved;
    memset(&saved, 0, sizeof(saved));
    pthread_mutex_lock(&device->lock);
    saved.offered = device->offered;
    saved.accepted = device->accepted;
    saved.offered_select = device->offered_select;
    saved.accepted_select = device->accepted_select;
    saved.queue_count = device->queue_count;
    saved.type = device->kind->type;
    saved.config_vector = device->config_vector;
    saved.queue_select = device->queue_select;
    saved.status = device->status;
    saved.interrupt_status = device->interrupt_status;
    saved.generation = device->generation;
    memcpy(saved.config, device->config, sizeof(saved.config));
    for (unsigned i = 0; i < device->queue_count; i++) {
        const struct virtqueue *queue = &device->queues[i];
        saved.queues[i] = (struct saved_queue){.descriptors = queue->descriptors,
                                               .available = queue->available,
                                               .used = queue->used,
                                               .size = queue->size,
                                               .vector = queue->vector,
                                               .next_available = queue->next_available,
                                               .next_used = queue->next_used,
                                               .told_used = queue->told_used,
                                               .ready = queue->ready,
                                               .broken = queue->broken};
    }
    if (device->kind->save != NULL)
        saved.extra = device->kind->save(device);
    for (unsigned i = 0; device->kind->held != NULL && i < device->queue_count; i++)
        saved.queues[i].next_available -= (uint16_t)device->kind->held(device, i); /* to be taken once more */
    pthread_mutex_unlock(&device->lock);
    pthread_mutex_lock(&device->msix.lock);
    saved.msix_enabled = device->msix.enabled;
    saved.msix_masked = device->msix.masked;
    saved.pending = device->msix.pending;
    memcpy(saved.table, device->msix.table, sizeof(saved.table));
    pthread_mutex_unlock(&device->msix.lock);
    saved_put(state, SAVED_TAG("VDEV"), device->number, &saved, sizeof(saved));
}

static bool restore_queue(struct virtio_device *device, struct virtqueue *queue, const struct saved_queue *saved) {
    queue->descriptors = saved->descriptors;
    queue->available = saved->available;
    queue->used = saved->used;
    queue->size = saved->size;
    queue->vector = saved->vector;
    if (!saved->ready)
        return true;
    if (!virtqueue_enable(queue, device->memory, virtio_has(device, VIRTIO_RING_F_EVENT_IDX),
                          virtio_has(device, VIRTIO_RING_F_INDIRECT_DESC)))
        return false;
    queue->next_available = saved->next_available;
    queue->next_used = saved->next_used;
    queue->told_used = saved->told_used;
    queue->broken = saved->broken;
    return true;
}

static bool restore_device(struct virtio_device *device, const struct saved_state *state) {
    struct saved_device saved;
    if (!saved_copy(state, SAVED_TAG("VDEV"), device->number, &saved, sizeof(saved)) ||
        saved.type != device->kind->type || saved.queue_count != device->queue_count ||
        (saved.accepted & ~device->offered) != 0)
        return false;
    pthread_mutex_lock(&device->msix.lock);
    device->msix.enabled = saved.msix_enabled;
    device->msix.masked = saved.msix_masked;
    device->msix.pending = saved.pending;
    memcpy(device->msix.table, saved.table, sizeof(saved.table));
    pthread_mutex_unlock(&device->msix.lock);
    pthread_mutex_lock(&device->lock);
    device->accepted = saved.accepted;
    device->offered_select = saved.offered_select;
    device->accepted_select = saved.accepted_select;
    device->config_vector = saved.config_vector;
    device->queue_select = saved.queue_select;
    device->interrupt_status = saved.interrupt_status;
    device->generation = saved.generation;
    memcpy(device->config, saved.config, device->config_size);
    bool fits = true;
    for (unsigned i = 0; fits && i < device->queue_count; i++)
        fits = restore_queue(device, &device->queues[i], &saved.queues[i]);
    if (fits) {
        device->status = saved.status;
        if (virtio_running(device) && device->kind->activate != NULL)
            device->kind->activate(device);
        if (virtio_running(device) && device->kind->restore != NULL)
            device->kind->restore(device, saved.extra);
        for (unsigned i = 0; i < device->queue_count; i++) {
            if (!virtio_running(device) || !device->queues[i].ready)
                continue;
            virtio_kick(device, i);      /* it may have come, and not have been looked at */
            virtio_interrupt(device, i); /* it may have been sent, and not have arrived; a driver takes one too many */
        }
    }
    pthread_mutex_unlock(&device->lock);
    return fits;
}

struct saved_bus {
    uint32_t address, up, down, ejected;
    uint8_t reset_control;
    uint8_t padding[3];
};

static void save_bus(struct pci_bus *pci, struct saved_state *state) {
    pthread_mutex_lock(&pci->lock);
    struct saved_bus saved = {.address = pci->address,
                              .up = atomic_load(&pci->up),
                              .down = atomic_load(&pci->down),
                              .ejected = atomic_load(&pci->ejected),
                              .reset_control = pci->reset_control};
    saved_put(state, SAVED_TAG("PCI "), 0, &saved, sizeof(saved));
    for (unsigned slot = 0; slot < PCI_DEVICES; slot++)
        if (pci->functions[slot] != NULL)
            saved_put(state, SAVED_TAG("FUNC"), slot, pci->functions[slot]->config, PCI_CONFIG_SIZE);
    pthread_mutex_unlock(&pci->lock);
}

/* The devices first: where their notifications arrive is told when their BARs get their places. */
static bool restore_bus(struct pci_bus *pci, const struct saved_state *state) {
    struct saved_bus saved;
    bool fits = saved_copy(state, SAVED_TAG("PCI "), 0, &saved, sizeof(saved));
    pthread_mutex_lock(&pci->lock);
    for (unsigned slot = 0; fits && slot < PCI_DEVICES; slot++) {
        const uint8_t *config = saved_get(state, SAVED_TAG("FUNC"), slot, PCI_CONFIG_SIZE, NULL);
        fits = (config != NULL) == (pci->functions[slot] != NULL);
        if (fits && config != NULL)
            pci_function_restore(pci->functions[slot], config);
    }
    if (fits) {
        pci->address = saved.address;
        pci->reset_control = saved.reset_control;
        atomic_store(&pci->up, saved.up);
        atomic_store(&pci->down, saved.down);
        atomic_store(&pci->ejected, saved.ejected);
    }
    pthread_mutex_unlock(&pci->lock);
    return fits;
}

void virtio_set_save(struct virtio_set *set, struct saved_state *state) {
    for (unsigned i = 0; i < set->count; i++)
        save_device(set->devices[i], state);
    save_bus(&set->pci, state);
}

bool virtio_set_restore(struct virtio_set *set, const struct saved_state *state) {
    bool fits = true;
    for (unsigned i = 0; fits && i < set->count; i++)
        fits = restore_device(set->devices[i], state);
    return fits && restore_bus(&set->pci, state);
}
