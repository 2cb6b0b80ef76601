/* virtio-blk: requests and what they mean. Virtual I/O Device 1.2, section 5.2. The threads are in block_threads.c. */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/block.h"
#include "virtio/kinds.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE 512u
#define SEGMENTS 126 /* as in Cloud Hypervisor: a queue of 128 without the header and the status */
#define DISCARD_SECTORS (1u << 22) /* 2 GiB at once */

static const char *const counter_names[] = {
    [BLOCK_READ_BYTES] = "read_bytes", [BLOCK_READ_OPS] = "read_ops",   [BLOCK_WRITE_BYTES] = "write_bytes",
    [BLOCK_WRITE_OPS] = "write_ops",   [BLOCK_FLUSH_OPS] = "flush_ops", [BLOCK_DISCARD_OPS] = "discard_ops",
    [BLOCK_ERRORS] = "errors",         [BLOCK_LIMITED] = "rate_limited",
    [BLOCK_READ_LATENCY] = "read_latency_min",   "read_latency_max",  "read_latency_avg",
    [BLOCK_WRITE_LATENCY] = "write_latency_min", "write_latency_max", "write_latency_avg"};

/* Whether sectors lie on the disk; their place in bytes. */
static bool on_disk(const struct block *block, uint64_t sector, uint64_t size, uint64_t *offset) {
    if (sector > block->sectors || size > (block->sectors - sector) << SECTOR_SHIFT)
        return false;
    *offset = sector << SECTOR_SHIFT;
    return true;
}

/* What the guest asks for, in ``request``; VIRTIO_BLK_S_OK when the backend shall do it. */
static uint8_t want_transfer(struct block *block, bool write, uint64_t sector, struct block_job *job) {
    struct block_request *request = &job->request;
    const struct chain *chain = &job->chain;
    *request = (struct block_request){.operation = write ? BLOCK_WRITE : BLOCK_READ,
                                      .size = write ? chain->out_size : chain->in_size,
                                      .pieces = write ? chain->out : chain->in,
                                      .count = write ? chain->out_count : chain->in_count};
    if (request->size % SECTOR_SIZE != 0 || !on_disk(block, sector, request->size, &request->offset) ||
        (write && block->read_only))
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

static uint8_t want_clearing(struct block *block, uint32_t type, struct block_job *job) {
    struct virtio_blk_discard_write_zeroes range;
    struct block_request *request = &job->request;
    bool zeroes = type == VIRTIO_BLK_T_WRITE_ZEROES;
    if (!virtio_has(&block->device, zeroes ? VIRTIO_BLK_F_WRITE_ZEROES : VIRTIO_BLK_F_DISCARD))
        return VIRTIO_BLK_S_UNSUPP;
    if (job->chain.out_size != sizeof(range) || !chain_read(&job->chain, &range, sizeof(range)) || block->read_only)
        return VIRTIO_BLK_S_IOERR;
    if (range.flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
        return VIRTIO_BLK_S_UNSUPP;
    *request = (struct block_request){.operation = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD,
                                      .unmap = block->discard && (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
                                      .size = (uint64_t)range.num_sectors << SECTOR_SHIFT};
    if (range.num_sectors > DISCARD_SECTORS || !on_disk(block, range.sector, request->size, &request->offset))
        return VIRTIO_BLK_S_IOERR;
    return VIRTIO_BLK_S_OK;
}

static uint8_t tell_serial(struct block *block, struct chain *chain) {
    uint64_t size = chain->in_size < VIRTIO_BLK_ID_BYTES ? chain->in_size : VIRTIO_BLK_ID_BYTES;
    return chain_write(chain, block->serial, size) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

uint64_t block_request_bytes(const struct chain *chain) {
    return chain->out_size + chain->in_size;
}

static void count_done(struct block *block, const struct block_request *request) {
    struct virtio_counter *counters = block->device.counters;
    switch (request->operation) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        count_shared(&counters[request->operation == BLOCK_WRITE ? BLOCK_WRITE_BYTES : BLOCK_READ_BYTES].value,
                     request->size);
        count_shared(&counters[request->operation == BLOCK_WRITE ? BLOCK_WRITE_OPS : BLOCK_READ_OPS].value, 1);
        break;
    case BLOCK_FLUSH:
        count_shared(&counters[BLOCK_FLUSH_OPS].value, 1);
        break;
    default:
        count_shared(&counters[BLOCK_DISCARD_OPS].value, 1);
    }
}

/* By several threads at once: what one of them sees may be a request behind, never wrong for long. */
static void count_latency(struct block *block, const struct block_job *job, uint64_t now_ns) {
    bool write = job->request.operation == BLOCK_WRITE;
    if (!write && job->request.operation != BLOCK_READ)
        return;
    struct block_latency *latency = &block->latencies[write];
    struct virtio_counter *shown = &block->device.counters[write ? BLOCK_WRITE_LATENCY : BLOCK_READ_LATENCY];
    uint64_t passed = now_ns - job->begun_ns, least = counted(&latency->least_ns);
    count_shared(&latency->total_ns, passed);
    count_shared(&latency->count, 1);
    while ((least == 0 || passed < least) &&
           !atomic_compare_exchange_weak(&latency->least_ns, &least, passed > 0 ? passed : 1))
        ;
    uint64_t most = counted(&latency->most_ns);
    while (passed > most && !atomic_compare_exchange_weak(&latency->most_ns, &most, passed))
        ;
    atomic_store_explicit(&shown[0].value, counted(&latency->least_ns) / 1000, memory_order_relaxed);
    atomic_store_explicit(&shown[1].value, counted(&latency->most_ns) / 1000, memory_order_relaxed);
    uint64_t mean = counted(&latency->total_ns) / counted(&latency->count);
    atomic_store_explicit(&shown[2].value, mean / 1000, memory_order_relaxed);
}

static void say(struct block *block, struct block_job *job, uint8_t status) {
    if (status != VIRTIO_BLK_S_OK)
        count_shared(&block->device.counters[BLOCK_ERRORS].value, 1);
    *job->status_at = status;
}

enum block_step block_begin(struct block *block, struct block_job *job, uint64_t now_ns) {
    struct virtio_blk_outhdr header;
    uint8_t status;
    bool for_backend = true;
    job->begun_ns = now_ns;
    job->status_at = chain_take_last(&job->chain);
    if (job->status_at == NULL || !chain_read(&job->chain, &header, sizeof(header)))
        return BLOCK_NO_REQUEST; /* nowhere to say so */
    uint64_t in_size = job->chain.in_size;
    job->written = (uint32_t)(in_size < UINT32_MAX ? in_size : UINT32_MAX - 1) + 1;
    switch (header.type) {
    case VIRTIO_BLK_T_IN:
    case VIRTIO_BLK_T_OUT:
        status = want_transfer(block, header.type == VIRTIO_BLK_T_OUT, header.sector, job);
        break;
    case VIRTIO_BLK_T_FLUSH:
        job->request = (struct block_request){.operation = BLOCK_FLUSH};
        status = VIRTIO_BLK_S_OK;
        for_backend = !block->read_only;
        break;
    case VIRTIO_BLK_T_GET_ID:
        status = tell_serial(block, &job->chain);
        for_backend = false;
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        status = want_clearing(block, header.type, job);
        break;
    default:
        status = VIRTIO_BLK_S_UNSUPP;
    }
    if (status == VIRTIO_BLK_S_OK && for_backend) {
        if (job->request.operation == BLOCK_FLUSH || job->request.size > 0)
            return BLOCK_FOR_BACKEND;
        count_done(block, &job->request); /* of nothing at all */
    }
    say(block, job, status);
    return BLOCK_DONE;
}

void block_end(struct block *block, struct block_job *job, int result, uint64_t now_ns) {
    block_log_note(block, &job->request); /* one that failed may have written something */
    if (result == 0) {
        count_done(block, &job->request);
        count_latency(block, job, now_ns);
    }
    say(block, job, result == 0 ? VIRTIO_BLK_S_OK : result == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR);
}

void block_join(struct virtio_device *device, struct rate_limit_group *group) {
    ((struct block *)device->state)->group = group;
}

static void close_block(struct virtio_device *device) {
    struct block *block = device->state;
    block_threads_close(block);
    block->backend->kind->close(block->backend);
    free((void *)block->written);
}

static void settle(struct virtio_device *device) {
    struct block *block = device->state;
    const struct block_backend_kind *kind = block->backend->kind;
    if (kind->settle != NULL && kind->settle(block->backend) < 0)
        count_shared(&device->counters[BLOCK_ERRORS].value, 1);
}

static const struct virtio_kind kind = {.name = "block",
                                        .type = VIRTIO_ID_BLOCK,
                                        .pci_class = 0x018000,
                                        .own_threads = true,
                                        .notified = block_ring_notified,
                                        .start = block_threads_start,
                                        .stop = block_threads_stop,
                                        .settle = settle,
                                        .close = close_block};

struct block *block_of(struct virtio_device *device) {
    return device->kind == &kind ? device->state : NULL;
}

struct virtio_device *block_create(const struct nl_disk_config *config, struct block_backend *backend) {
    struct block *block = calloc(1, sizeof(*block));
    if (block == NULL)
        return NULL;
    struct virtio_device *device = &block->device;
    struct virtio_blk_config about = {.capacity = backend->size >> SECTOR_SHIFT,
                                      .seg_max = SEGMENTS,
                                      .blk_size = SECTOR_SIZE,
                                      .num_queues = (uint16_t)config->queues,
                                      .max_discard_sectors = DISCARD_SECTORS,
                                      .max_discard_seg = 1,
                                      .discard_sector_alignment = 8,
                                      .max_write_zeroes_sectors = DISCARD_SECTORS,
                                      .max_write_zeroes_seg = 1,
                                      .write_zeroes_may_unmap = config->discard};
    _Static_assert(sizeof(about) <= VIRTIO_CONFIG_SIZE, "the configuration has room");
    memcpy(device->config, &about, sizeof(about));
    device->config_size = sizeof(about);
    device->kind = &kind;
    device->state = block;
    device->offered = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_FLUSH;
    if (config->read_only)
        device->offered |= 1ull << VIRTIO_BLK_F_RO;
    else
        device->offered |= 1ull << VIRTIO_BLK_F_WRITE_ZEROES | (config->discard ? 1ull << VIRTIO_BLK_F_DISCARD : 0);
    if (config->queues > 1)
        device->offered |= 1ull << VIRTIO_BLK_F_MQ;
    device->queue_count = config->queues;
    for (unsigned i = 0; i < config->queues; i++)
        device->queues[i].max_size = (uint16_t)config->queue_size;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    block->backend = backend;
    block->read_only = config->read_only;
    block->discard = config->discard;
    block->sectors = backend->size >> SECTOR_SHIFT;
    memcpy(block->serial, config->serial, VIRTIO_BLK_ID_BYTES);
    rate_limiter_init(&block->limiter, &config->limiter, monotonic_ns());
    if (block_threads_init(block, !config->disable_io_uring) < 0) {
        free(block);
        return NULL;
    }
    device->served_by_vcpu = block->ring != NULL ? UINT32_MAX : 0;
    return device;
}
