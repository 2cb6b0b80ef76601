/* virtio-blk: requests and what they mean. Virtual I/O Device 1.2, section 5.2. The threads are in block_threads.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio/block.h"
#include "virtio/kinds.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE 512u
#define SEGMENTS 126 /* as in Cloud Hypervisor: a queue of 128 without the header and the status */
#define DISCARD_SECTORS (1u << 22) /* 2 GiB at once */
#define BOUNCE_SIZE (64 * 1024)

static const char *const counter_names[] = {
    [BLOCK_READ_BYTES] = "read_bytes", [BLOCK_READ_OPS] = "read_ops",   [BLOCK_WRITE_BYTES] = "write_bytes",
    [BLOCK_WRITE_OPS] = "write_ops",   [BLOCK_FLUSH_OPS] = "flush_ops", [BLOCK_DISCARD_OPS] = "discard_ops",
    [BLOCK_ERRORS] = "errors",         [BLOCK_LIMITED] = "rate_limited"};

/* Step over the first ``done`` bytes of the pieces. */
static void advance(struct iovec **pieces, unsigned *count, size_t done) {
    while (done > 0 && *count > 0) {
        size_t part = (*pieces)->iov_len < done ? (*pieces)->iov_len : done;
        (*pieces)->iov_base = (uint8_t *)(*pieces)->iov_base + part;
        (*pieces)->iov_len -= part;
        done -= part;
        if ((*pieces)->iov_len == 0) {
            (*pieces)++;
            (*count)--;
        }
    }
}

/* O_DIRECT refuses memory that lies askew; then the data go through memory that does not. */
static ssize_t transfer_askew(struct block *block, bool write, const struct iovec *pieces, unsigned count,
                              uint64_t offset) {
    void *bounce = NULL;
    size_t total = 0, filled = 0;
    for (unsigned i = 0; i < count; i++)
        total += pieces[i].iov_len;
    total = total < BOUNCE_SIZE ? total : BOUNCE_SIZE;
    if (posix_memalign(&bounce, 4096, BOUNCE_SIZE) != 0)
        return -ENOMEM;
    for (unsigned i = 0; write && filled < total; i++) {
        size_t part = pieces[i].iov_len < total - filled ? pieces[i].iov_len : total - filled;
        memcpy((uint8_t *)bounce + filled, pieces[i].iov_base, part);
        filled += part;
    }
    ssize_t done = write ? pwrite(block->fd, bounce, total, (off_t)offset) : pread(block->fd, bounce, total, (off_t)offset);
    if (done < 0)
        done = -errno;
    for (unsigned i = 0; !write && done > 0 && filled < (size_t)done; i++) {
        size_t part = pieces[i].iov_len < (size_t)done - filled ? pieces[i].iov_len : (size_t)done - filled;
        memcpy(pieces[i].iov_base, (uint8_t *)bounce + filled, part);
        filled += part;
    }
    free(bounce);
    return done;
}

/* All of the pieces, however often the host moves less; 0 or a negative errno. */
static int transfer(struct block *block, bool write, struct iovec *pieces, unsigned count, uint64_t offset) {
    while (count > 0) {
        ssize_t done = write ? pwritev(block->fd, pieces, (int)count, (off_t)offset)
                             : preadv(block->fd, pieces, (int)count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EINVAL)
            done = transfer_askew(block, write, pieces, count, offset);
        if (done <= 0)
            return done == 0 ? -EIO : (done == -1 ? -errno : (int)done); /* 0: the file became shorter */
        advance(&pieces, &count, (size_t)done);
        offset += (uint64_t)done;
    }
    return 0;
}

/* Whether sectors lie on the disk; their place in bytes. */
static bool on_disk(const struct block *block, uint64_t sector, uint64_t size, uint64_t *offset) {
    if (sector > block->sectors || size > (block->sectors - sector) << SECTOR_SHIFT)
        return false;
    *offset = sector << SECTOR_SHIFT;
    return true;
}

static uint8_t status_of(int result) {
    if (result == 0)
        return VIRTIO_BLK_S_OK;
    return result == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static uint8_t move_data(struct block *block, bool write, uint64_t sector, struct iovec *pieces, unsigned count,
                         uint64_t size) {
    struct virtio_counter *counters = block->device.counters;
    uint64_t offset;
    if (size % SECTOR_SIZE != 0 || !on_disk(block, sector, size, &offset) || (write && block->read_only))
        return VIRTIO_BLK_S_IOERR;
    int result = transfer(block, write, pieces, count, offset);
    if (result == 0) {
        count_shared(&counters[write ? BLOCK_WRITE_BYTES : BLOCK_READ_BYTES].value, size);
        count_shared(&counters[write ? BLOCK_WRITE_OPS : BLOCK_READ_OPS].value, 1);
    }
    return status_of(result);
}

static int write_zeroes_by_hand(struct block *block, uint64_t offset, uint64_t size) {
    static const uint8_t zeroes[4096] __attribute__((aligned(4096)));
    while (size > 0) {
        struct iovec pieces[16];
        unsigned count = 0;
        uint64_t part = 0;
        for (; count < 16 && part < size; count++) {
            size_t piece = size - part < sizeof(zeroes) ? (size_t)(size - part) : sizeof(zeroes);
            pieces[count] = (struct iovec){.iov_base = (void *)(uintptr_t)zeroes, .iov_len = piece};
            part += piece;
        }
        int result = transfer(block, true, pieces, count, offset);
        if (result < 0)
            return result;
        offset += part;
        size -= part;
    }
    return 0;
}

static uint8_t clear(struct block *block, uint32_t type, struct chain *chain) {
    struct virtio_blk_discard_write_zeroes range;
    uint64_t offset;
    bool zeroes = type == VIRTIO_BLK_T_WRITE_ZEROES;
    if (!virtio_has(&block->device, zeroes ? VIRTIO_BLK_F_WRITE_ZEROES : VIRTIO_BLK_F_DISCARD))
        return VIRTIO_BLK_S_UNSUPP;
    if (chain->out_size != sizeof(range) || !chain_read(chain, &range, sizeof(range)) || block->read_only)
        return VIRTIO_BLK_S_IOERR;
    if (range.flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
        return VIRTIO_BLK_S_UNSUPP;
    uint64_t size = (uint64_t)range.num_sectors << SECTOR_SHIFT;
    if (range.num_sectors > DISCARD_SECTORS || !on_disk(block, range.sector, size, &offset))
        return VIRTIO_BLK_S_IOERR;
    count_shared(&block->device.counters[BLOCK_DISCARD_OPS].value, 1);
    if (size == 0)
        return VIRTIO_BLK_S_OK;
    bool punch = block->discard && (!zeroes || (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP));
    int mode = FALLOC_FL_KEEP_SIZE | (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    if (fallocate(block->fd, mode, (off_t)offset, (off_t)size) == 0)
        return VIRTIO_BLK_S_OK;
    if (errno != EOPNOTSUPP)
        return VIRTIO_BLK_S_IOERR;
    /* A discard is a wish; zeroes must come. */
    return zeroes ? status_of(write_zeroes_by_hand(block, offset, size)) : VIRTIO_BLK_S_OK;
}

static uint8_t tell_serial(struct block *block, struct chain *chain) {
    uint64_t size = chain->in_size < VIRTIO_BLK_ID_BYTES ? chain->in_size : VIRTIO_BLK_ID_BYTES;
    return chain_write(chain, block->serial, size) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

uint64_t block_request_bytes(const struct chain *chain) {
    return chain->out_size + chain->in_size;
}

bool block_serve(struct block *block, struct chain *chain, uint32_t *written) {
    struct virtio_blk_outhdr header;
    uint8_t *status_at = chain_take_last(chain), status;
    if (status_at == NULL || !chain_read(chain, &header, sizeof(header)))
        return false; /* nowhere to say that it is no request */
    uint64_t in_size = chain->in_size;
    switch (header.type) {
    case VIRTIO_BLK_T_IN:
        status = move_data(block, false, header.sector, chain->in, chain->in_count, chain->in_size);
        break;
    case VIRTIO_BLK_T_OUT:
        status = move_data(block, true, header.sector, chain->out, chain->out_count, chain->out_size);
        break;
    case VIRTIO_BLK_T_FLUSH:
        count_shared(&block->device.counters[BLOCK_FLUSH_OPS].value, 1);
        status = block->read_only || fdatasync(block->fd) == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
        break;
    case VIRTIO_BLK_T_GET_ID:
        status = tell_serial(block, chain);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        status = clear(block, header.type, chain);
        break;
    default:
        status = VIRTIO_BLK_S_UNSUPP;
    }
    if (status != VIRTIO_BLK_S_OK)
        count_shared(&block->device.counters[BLOCK_ERRORS].value, 1);
    *status_at = status;
    *written = (uint32_t)(in_size < UINT32_MAX ? in_size : UINT32_MAX - 1) + 1;
    return true;
}

static void close_block(struct virtio_device *device) {
    struct block *block = device->state;
    block_threads_close(block);
    close(block->fd);
}

static const struct virtio_kind kind = {.name = "block",
                                        .type = VIRTIO_ID_BLOCK,
                                        .pci_class = 0x018000,
                                        .own_threads = true,
                                        .start = block_threads_start,
                                        .stop = block_threads_stop,
                                        .close = close_block};

struct virtio_device *block_create(const struct nl_disk_config *config, uint64_t size) {
    struct block *block = calloc(1, sizeof(*block));
    if (block == NULL)
        return NULL;
    struct virtio_device *device = &block->device;
    struct virtio_blk_config about = {.capacity = size >> SECTOR_SHIFT,
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
    block->fd = config->fd;
    block->read_only = config->read_only;
    block->discard = config->discard;
    block->sectors = size >> SECTOR_SHIFT;
    memcpy(block->serial, config->serial, VIRTIO_BLK_ID_BYTES);
    rate_limiter_init(&block->limiter, &config->limiter, monotonic_ns());
    if (block_threads_init(block) == 0)
        return device;
    free(block);
    return NULL;
}
