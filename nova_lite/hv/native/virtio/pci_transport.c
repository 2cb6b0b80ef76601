/* virtio over PCI, the modern interface: Virtual I/O Device 1.2, section 4.1. One BAR holds all structures. */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtio/virtio.h"

#define PAGE 0x1000u
#define ISR_AT 0x1000u
#define DEVICE_AT 0x2000u
#define NOTIFY_AT 0x3000u
#define TABLE_AT 0x4000u
#define PENDING_AT 0x5000u
#define BAR_SIZE 0x8000u
#define NOTIFY_MULTIPLIER 4
#define COMMON_SIZE 0x38u

#define CAPABILITY_VENDOR 0x09
#define CAPABILITY_MSIX 0x11
#define MSIX_ENABLE 0x8000
#define MSIX_MASK 0x4000
/* In the window capability: */
#define WINDOW_BAR 4
#define WINDOW_OFFSET 8
#define WINDOW_LENGTH 12
#define WINDOW_DATA 16

#define STATUS_BITS \
    (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK | \
     VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

static struct virtqueue *selected(struct virtio_device *device) {
    return device->queue_select < device->queue_count ? &device->queues[device->queue_select] : NULL;
}

static uint64_t *ring_address(struct virtqueue *queue, unsigned offset) {
    switch (offset & ~7u) {
    case VIRTIO_PCI_COMMON_Q_DESCLO:
        return &queue->descriptors;
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
        return &queue->available;
    default:
        return &queue->used;
    }
}

/* A field answers only accesses of its own width (64-bit ones of 32 bits); anything else reads as 0. */
static uint32_t common_read(struct virtio_device *device, unsigned offset, unsigned size) {
    struct virtqueue *queue = selected(device);
    switch (offset << 4 | size) {
    case VIRTIO_PCI_COMMON_DFSELECT << 4 | 4:
        return device->offered_select;
    case VIRTIO_PCI_COMMON_DF << 4 | 4:
        return device->offered_select < 2 ? (uint32_t)(device->offered >> (32 * device->offered_select)) : 0;
    case VIRTIO_PCI_COMMON_GFSELECT << 4 | 4:
        return device->accepted_select;
    case VIRTIO_PCI_COMMON_GF << 4 | 4:
        return device->accepted_select < 2 ? (uint32_t)(device->accepted >> (32 * device->accepted_select)) : 0;
    case VIRTIO_PCI_COMMON_MSIX << 4 | 2:
        return device->config_vector;
    case VIRTIO_PCI_COMMON_NUMQ << 4 | 2:
        return device->queue_count;
    case VIRTIO_PCI_COMMON_STATUS << 4 | 1:
        return device->status;
    case VIRTIO_PCI_COMMON_CFGGENERATION << 4 | 1:
        return device->generation;
    case VIRTIO_PCI_COMMON_Q_SELECT << 4 | 2:
        return device->queue_select;
    case VIRTIO_PCI_COMMON_Q_SIZE << 4 | 2: /* 0: no such queue */
        return queue != NULL ? queue->size : 0;
    case VIRTIO_PCI_COMMON_Q_MSIX << 4 | 2:
        return queue != NULL ? queue->vector : NO_VECTOR;
    case VIRTIO_PCI_COMMON_Q_ENABLE << 4 | 2:
        return queue != NULL && queue->ready;
    case VIRTIO_PCI_COMMON_Q_NOFF << 4 | 2:
        return device->queue_select;
    }
    if (queue != NULL && size == 4 && offset % 4 == 0 && offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset < COMMON_SIZE)
        return (uint32_t)(*ring_address(queue, offset) >> (8 * (offset & 4)));
    return 0;
}

static uint16_t existing_vector(const struct virtio_device *device, uint32_t vector) {
    return vector < device->msix.vectors ? (uint16_t)vector : NO_VECTOR;
}

static void tell_where(struct virtio_device *device) {
    uint64_t bar = atomic_load(&device->function.bar_address);
    if (device->hooks.notify_at != NULL)
        device->hooks.notify_at(device->hooks.opaque, device, bar == PCI_NOT_DECODED ? bar : bar + NOTIFY_AT);
}

static void write_status(struct virtio_device *device, uint8_t value) {
    uint64_t version_1 = 1ull << VIRTIO_F_VERSION_1;
    if (value == 0) {
        virtio_reset(device);
        return;
    }
    uint8_t added = value & STATUS_BITS & ~device->status;
    if ((added & VIRTIO_CONFIG_S_FEATURES_OK) &&
        ((device->accepted & ~device->offered) != 0 || !(device->accepted & version_1)))
        added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK; /* the driver sees that it did not stick */
    if (!((device->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
        added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
    device->status |= added;
    if (!(added & VIRTIO_CONFIG_S_DRIVER_OK))
        return;
    if (device->kind->activate != NULL)
        device->kind->activate(device);
    tell_where(device);
}

static void enable_queue(struct virtio_device *device, struct virtqueue *queue) {
    if (queue->ready || !(device->status & VIRTIO_CONFIG_S_FEATURES_OK))
        return;
    if (!virtqueue_enable(queue, device->memory, virtio_has(device, VIRTIO_RING_F_EVENT_IDX),
                          virtio_has(device, VIRTIO_RING_F_INDIRECT_DESC)))
        virtio_fail(device);
}

static void common_write(struct virtio_device *device, unsigned offset, unsigned size, uint32_t value) {
    struct virtqueue *queue = selected(device);
    switch (offset << 4 | size) {
    case VIRTIO_PCI_COMMON_DFSELECT << 4 | 4:
        device->offered_select = value;
        return;
    case VIRTIO_PCI_COMMON_GFSELECT << 4 | 4:
        device->accepted_select = value;
        return;
    case VIRTIO_PCI_COMMON_GF << 4 | 4:
        if (device->accepted_select < 2 && !(device->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
            unsigned shift = 32 * device->accepted_select;
            device->accepted = (device->accepted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
        }
        return;
    case VIRTIO_PCI_COMMON_MSIX << 4 | 2:
        device->config_vector = existing_vector(device, value);
        return;
    case VIRTIO_PCI_COMMON_STATUS << 4 | 1:
        write_status(device, (uint8_t)value);
        return;
    case VIRTIO_PCI_COMMON_Q_SELECT << 4 | 2:
        device->queue_select = (uint16_t)value;
        return;
    }
    if (queue == NULL)
        return;
    if (offset == VIRTIO_PCI_COMMON_Q_MSIX && size == 2)
        queue->vector = existing_vector(device, value);
    else if (queue->ready) /* what a queue in use is made of stays as it is until the reset */
        return;
    else if (offset == VIRTIO_PCI_COMMON_Q_SIZE && size == 2)
        queue->size = (uint16_t)value;
    else if (offset == VIRTIO_PCI_COMMON_Q_ENABLE && size == 2 && value == 1)
        enable_queue(device, queue);
    else if (size == 4 && offset % 4 == 0 && offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset < COMMON_SIZE) {
        uint64_t *address = ring_address(queue, offset);
        unsigned shift = 8 * (offset & 4);
        *address = (*address & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
    }
}

static uint64_t locked_read(struct virtio_device *device, uint64_t offset, unsigned size) {
    uint64_t value = 0;
    unsigned at = offset % PAGE;
    switch (offset - at) {
    case 0:
        return common_read(device, at, size);
    case ISR_AT: /* reading clears it */
        value = at == 0 ? device->interrupt_status : 0;
        if (at == 0)
            device->interrupt_status = 0;
        return value;
    case DEVICE_AT:
        if (at < device->config_size && size <= device->config_size - at)
            memcpy(&value, device->config + at, size);
        return value;
    default:
        return 0;
    }
}

static void config_write(struct virtio_device *device, unsigned at, unsigned size, uint64_t value) {
    if (at >= device->config_size || size > device->config_size - at)
        return;
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = device->config_writable[at + i], *byte = &device->config[at + i];
        *byte = (uint8_t)((*byte & ~mask) | ((value >> (8 * i)) & mask));
    }
    if (device->kind->config_written != NULL)
        device->kind->config_written(device);
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned size) {
    struct virtio_device *device = opaque;
    if (offset >= PENDING_AT)
        return msix_pending_read(&device->msix, offset - PENDING_AT, size);
    if (offset >= TABLE_AT)
        return msix_table_read(&device->msix, offset - TABLE_AT, size);
    pthread_mutex_lock(&device->lock);
    uint64_t value = locked_read(device, offset, size);
    pthread_mutex_unlock(&device->lock);
    return value;
}

static void bar_write(void *opaque, uint64_t offset, unsigned size, uint64_t value) {
    struct virtio_device *device = opaque;
    if (offset >= TABLE_AT) {
        if (offset < PENDING_AT)
            msix_table_write(&device->msix, offset - TABLE_AT, size, value);
        return;
    }
    if (offset >= NOTIFY_AT) { /* only where no shorter way leads from the guest to the eventfd */
        uint64_t queue = (offset - NOTIFY_AT) / NOTIFY_MULTIPLIER;
        if (queue < device->queue_count)
            virtio_notified(device, (unsigned)queue);
        return;
    }
    pthread_mutex_lock(&device->lock);
    if (offset < PAGE)
        common_write(device, (unsigned)offset, size, (uint32_t)value);
    else if (offset >= DEVICE_AT)
        config_write(device, (unsigned)(offset - DEVICE_AT), size, value);
    pthread_mutex_unlock(&device->lock);
}

static void bar_moved(void *opaque) {
    struct virtio_device *device = opaque;
    pthread_mutex_lock(&device->lock);
    if (device->status & VIRTIO_CONFIG_S_DRIVER_OK)
        tell_where(device);
    pthread_mutex_unlock(&device->lock);
}

/* The window capability leads into the BAR without memory space. False unless it is set up for one access to it. */
static bool through_window(struct virtio_device *device, uint32_t *offset, uint32_t *length) {
    const uint8_t *window = device->function.config + device->window_capability;
    memcpy(offset, window + WINDOW_OFFSET, 4);
    memcpy(length, window + WINDOW_LENGTH, 4);
    return window[WINDOW_BAR] == 0 && (*length == 1 || *length == 2 || *length == 4) && *offset % *length == 0 &&
           *offset < BAR_SIZE;
}

static bool is_window_data(const struct virtio_device *device, unsigned offset, unsigned size) {
    unsigned data = device->window_capability + WINDOW_DATA;
    return offset >= data && offset + size <= data + 4;
}

static void before_config_read(void *opaque, unsigned offset, unsigned size) {
    struct virtio_device *device = opaque;
    uint32_t at, length;
    if (is_window_data(device, offset, size) && through_window(device, &at, &length)) {
        uint32_t value = (uint32_t)bar_read(device, at, length);
        memcpy(device->function.config + device->window_capability + WINDOW_DATA, &value, length);
    }
}

static void config_written(void *opaque, unsigned offset, unsigned size) {
    struct virtio_device *device = opaque;
    unsigned control_at = device->msix_capability + 2;
    uint32_t at, length;
    if (is_window_data(device, offset, size) && through_window(device, &at, &length)) {
        uint32_t value = 0;
        memcpy(&value, device->function.config + device->window_capability + WINDOW_DATA, length);
        bar_write(device, at, length, value);
    }
    if (offset < control_at + 2 && control_at < offset + size) {
        uint16_t control;
        memcpy(&control, device->function.config + control_at, 2);
        msix_control(&device->msix, control & MSIX_ENABLE, control & MSIX_MASK);
    }
}

static unsigned add_structure(struct virtio_device *device, uint8_t type, uint32_t at, uint32_t size, uint32_t extra,
                              unsigned extra_size) {
    uint8_t body[18] = {(uint8_t)(16 + extra_size), type};
    memcpy(body + 6, &at, 4);
    memcpy(body + 10, &size, 4);
    memcpy(body + 14, &extra, 4);
    return pci_function_add_capability(&device->function, CAPABILITY_VENDOR, body, 14 + extra_size);
}

bool transport_init(struct virtio_device *device) {
    struct pci_function *function = &device->function;
    struct pci_identity identity = {.vendor = 0x1af4,
                                    .device = (uint16_t)(0x1040 + device->kind->type),
                                    .subsystem_vendor = 0x1af4,
                                    .subsystem = (uint16_t)(0x1040 + device->kind->type),
                                    .revision = 1,
                                    .class_code = device->kind->pci_class};
    pci_function_init(function, &identity);
    pci_function_set_bar(function, BAR_SIZE);
    function->device = device;
    function->bar_read = bar_read;
    function->bar_write = bar_write;
    function->bar_moved = bar_moved;
    unsigned common = add_structure(device, VIRTIO_PCI_CAP_COMMON_CFG, 0, COMMON_SIZE, 0, 0);
    unsigned isr = add_structure(device, VIRTIO_PCI_CAP_ISR_CFG, ISR_AT, 1, 0, 0);
    unsigned config = add_structure(device, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_AT, PAGE, 0, 0);
    unsigned notify = add_structure(device, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_AT, PAGE, NOTIFY_MULTIPLIER, 4);
    unsigned window = device->window_capability = add_structure(device, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 4);
    uint16_t control = (uint16_t)(device->msix.vectors - 1);
    uint32_t table = TABLE_AT, pending = PENDING_AT;
    uint8_t body[10];
    memcpy(body, &control, 2);
    memcpy(body + 2, &table, 4);
    memcpy(body + 6, &pending, 4);
    unsigned msix = device->msix_capability = pci_function_add_capability(function, CAPABILITY_MSIX, body, sizeof(body));
    if (common == 0 || isr == 0 || config == 0 || notify == 0 || window == 0 || msix == 0)
        return false;
    function->writable[window + WINDOW_BAR] = 0xff;
    memset(function->writable + window + WINDOW_OFFSET, 0xff, 12);
    function->writable[msix + 3] = (MSIX_ENABLE | MSIX_MASK) >> 8;
    function->before_config_read = before_config_read;
    function->config_written = config_written;
    return true;
}
