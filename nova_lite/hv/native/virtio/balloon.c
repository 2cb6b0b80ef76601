/* virtio-balloon: memory that the guest gives back. Virtual I/O Device 1.2, section 5.5.
 *
 * What is given back is dropped from anonymous memory; a guest that touches it again finds zeroes. So nothing here
 * can hurt more than the guest that asks for it. */
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "virtio/kinds.h"

#define QUEUE_SIZE 128
#define PAGE_SIZE_4K 4096u
#define MOST_PAGES 65536u /* of one request */

enum { INFLATE, DEFLATE, REPORT };
enum { INFLATED, DEFLATED, REPORTED, FAILED };
static const char *const counter_names[] = {"inflated_bytes", "deflated_bytes", "reported_bytes", "failed"};

struct balloon {
    struct virtio_device device;
};

/* Whole pages only: what is cut off stays. */
static void give_back(struct virtio_device *device, uint8_t *host, uint64_t size, unsigned kind) {
    uintptr_t start = ((uintptr_t)host + PAGE_SIZE_4K - 1) & ~(uintptr_t)(PAGE_SIZE_4K - 1);
    uintptr_t end = ((uintptr_t)host + size) & ~(uintptr_t)(PAGE_SIZE_4K - 1);
    if (end <= start)
        return;
    if (madvise((void *)start, end - start, device->memory->shared ? MADV_REMOVE : MADV_DONTNEED) == 0)
        count_shared(&device->counters[kind].value, end - start);
    else
        count_shared(&device->counters[FAILED].value, 1);
}

/* Page numbers, mostly one after another: neighbours go together. */
static void inflate(struct virtio_device *device, struct chain *chain) {
    uint64_t start = 0, size = 0;
    uint32_t page;
    for (unsigned i = 0; i < MOST_PAGES && chain_read(chain, &page, sizeof(page)); i++) {
        uint64_t address = (uint64_t)page * PAGE_SIZE_4K;
        if (memory_at(device->memory, address, PAGE_SIZE_4K) == NULL)
            continue;
        if (size > 0 && address == start + size && memory_at(device->memory, start, size + PAGE_SIZE_4K) != NULL) {
            size += PAGE_SIZE_4K;
            continue;
        }
        if (size > 0)
            give_back(device, memory_at(device->memory, start, size), size, INFLATED);
        start = address;
        size = PAGE_SIZE_4K;
    }
    if (size > 0)
        give_back(device, memory_at(device->memory, start, size), size, INFLATED);
}

static void process(struct virtio_device *device, unsigned index) {
    struct virtqueue *queue = &device->queues[index];
    struct chain chain;
    do {
        virtqueue_hold_kicks(queue);
        while (virtio_pop(device, index, &chain)) {
            if (index == INFLATE)
                inflate(device, &chain);
            else if (index == DEFLATE) /* the pages come back by being touched */
                count_shared(&device->counters[DEFLATED].value, chain.out_size / sizeof(uint32_t) * PAGE_SIZE_4K);
            for (unsigned i = 0; index == REPORT && i < chain.in_count; i++)
                give_back(device, chain.in[i].iov_base, chain.in[i].iov_len, REPORTED);
            virtqueue_push(queue, chain.head, 0);
        }
    } while (virtqueue_await_kicks(queue));
    virtio_tell(device, index);
}

void balloon_resize(struct virtio_device *device, uint64_t size) {
    uint32_t pages = (uint32_t)(size / PAGE_SIZE_4K);
    const size_t at = offsetof(struct virtio_balloon_config, num_pages);
    pthread_mutex_lock(&device->lock);
    memcpy(device->config + at, &pages, sizeof(pages));
    memcpy(device->config_initial + at, &pages, sizeof(pages)); /* and after a reset */
    virtio_config_changed(device);
    pthread_mutex_unlock(&device->lock);
}

uint64_t balloon_actual(struct virtio_device *device) {
    uint32_t pages;
    pthread_mutex_lock(&device->lock);
    memcpy(&pages, device->config + offsetof(struct virtio_balloon_config, actual), sizeof(pages));
    pthread_mutex_unlock(&device->lock);
    return (uint64_t)pages * PAGE_SIZE_4K;
}

static const struct virtio_kind kind = {
    .name = "balloon", .type = VIRTIO_ID_BALLOON, .pci_class = 0x00ff00, .process = process};

struct virtio_device *balloon_create(const struct nl_balloon_config *config) {
    struct balloon *balloon = calloc(1, sizeof(*balloon));
    if (balloon == NULL)
        return NULL;
    struct virtio_device *device = &balloon->device;
    struct virtio_balloon_config about = {.num_pages = (uint32_t)(config->size / PAGE_SIZE_4K)};
    memcpy(device->config, &about, sizeof(about));
    /* num_pages and actual; what else the structure holds belongs to features that are not offered. */
    device->config_size = offsetof(struct virtio_balloon_config, actual) + sizeof(about.actual);
    memset(device->config_writable + offsetof(struct virtio_balloon_config, actual), 0xff, sizeof(about.actual));
    device->kind = &kind;
    device->state = balloon;
    if (config->deflate_on_oom)
        device->offered |= 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
    if (config->free_page_reporting)
        device->offered |= 1ull << VIRTIO_BALLOON_F_REPORTING;
    device->queue_count = config->free_page_reporting ? 3 : 2;
    for (unsigned i = 0; i < device->queue_count; i++)
        device->queues[i].max_size = QUEUE_SIZE;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    return device;
}
