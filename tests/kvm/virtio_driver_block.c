/* virtio-blk and its rate limiter, for virtio_driver.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/block.h"
#include "virtio/kinds.h"
#include "virtio/rate_limiter.h"

#define DISK_SIZE (1u << 20)

static int disk_fd;
static bool on_threads; /* and not on io_uring */

static struct virtio_device *disk(uint32_t queues, bool read_only, struct nl_rate_limiter limiter) {
    struct nl_disk_config config = {
        .queues = queues, .queue_size = 16, .read_only = read_only, .discard = 1, .limiter = limiter};
    config.disable_io_uring = on_threads;
    strcpy(config.serial, "disk-0123456789");
    disk_fd = memfd_create("disk", 0);
    assert(ftruncate(disk_fd, DISK_SIZE) == 0);
    return block_create(&config, block_raw_open(dup(disk_fd)));
}

/* Header at BUFFERS, status at BUFFERS + 16, data from BUFFERS + 0x200 on. */
static void offer_request(unsigned queue, uint32_t type, uint64_t sector, uint32_t size, bool in) {
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    memcpy(fake_ram(&machine, BUFFERS, 16), &header, 16);
    *fake_ram(&machine, BUFFERS + 16, 1) = 0xee;
    fake_descriptor(&machine, queue, 0, BUFFERS, 16, NEXT, size > 0 ? 1 : 2);
    fake_descriptor(&machine, queue, 1, BUFFERS + 0x200, size, NEXT | (in ? WRITE : 0), 2);
    fake_descriptor(&machine, queue, 2, BUFFERS + 16, 1, WRITE, 0);
    fake_offer(&machine, queue, 0);
}

static uint8_t request(unsigned queue, uint32_t type, uint64_t sector, uint32_t size, bool in, uint32_t *written) {
    uint32_t head;
    offer_request(queue, type, sector, size, in);
    fake_turn(&machine);
    assert(fake_taken(&machine, queue, &head, written) && head == 0);
    return *fake_ram(&machine, BUFFERS + 16, 1);
}

void test_block(void) {
    uint32_t written;
    fake_init(&machine);
    fake_add(&machine, disk(2, false, (struct nl_rate_limiter){0}));
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 8) == DISK_SIZE / 512);
    fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
    uint8_t *data = fake_ram(&machine, BUFFERS + 0x200, 4096), disk_data[4096], zeroes[4096] = {0};
    for (unsigned i = 0; i < 4096; i++)
        data[i] = (uint8_t)(i * 13);
    assert(request(1, VIRTIO_BLK_T_OUT, 8, 4096, false, &written) == VIRTIO_BLK_S_OK && written == 1);
    assert(pread(disk_fd, disk_data, 4096, 4096) == 4096 && memcmp(disk_data, data, 4096) == 0);
    memset(data, 0, 4096);
    assert(request(0, VIRTIO_BLK_T_IN, 8, 4096, true, &written) == VIRTIO_BLK_S_OK && written == 4097);
    assert(memcmp(disk_data, data, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_FLUSH, 0, 0, false, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_GET_ID, 0, 20, true, &written) == VIRTIO_BLK_S_OK && written == 21);
    assert(memcmp(data, "disk-0123456789", 16) == 0);
    /* Bounds: the last sector, one too far, numbers that wrap around, no whole sectors. */
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512 - 1, 512, true, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512 - 1, 1024, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_OUT, 1ull << 55, 512, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, 0, 511, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, 4711, 0, 512, true, &written) == VIRTIO_BLK_S_UNSUPP);
    /* Discard and write zeroes. */
    struct virtio_blk_discard_write_zeroes range = {.sector = 8, .num_sectors = 8};
    memcpy(data, &range, sizeof(range));
    assert(request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, &written) == VIRTIO_BLK_S_OK);
    assert(pread(disk_fd, disk_data, 4096, 4096) == 4096 && memcmp(disk_data, zeroes, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 15, false, &written) == VIRTIO_BLK_S_IOERR);
    range.sector = DISK_SIZE / 512 - 1;
    memcpy(data, &range, sizeof(range));
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, &written) == VIRTIO_BLK_S_IOERR);
    /* Microseconds from the queue to the status: of what moved data and of nothing else. */
    const struct block *block = machine.device->state;
    for (unsigned i = 0; i < 2; i++) {
        struct virtio_counter *shown = &machine.device->counters[i ? BLOCK_WRITE_LATENCY : BLOCK_READ_LATENCY];
        struct block_latency latency = block->latencies[i];
        assert(latency.count == (i ? 1 : 2) && latency.least_ns > 0 && latency.most_ns >= latency.least_ns);
        assert(latency.total_ns >= latency.least_ns + (i ? 0 : latency.most_ns) && latency.total_ns < 60000000000u);
        assert(shown[0].value == latency.least_ns / 1000 && shown[1].value == latency.most_ns / 1000);
        assert(shown[2].value == latency.total_ns / latency.count / 1000);
        assert(strcmp(shown[0].name, i ? "write_latency_min" : "read_latency_min") == 0);
    }
    /* The disk becomes shorter than it was: an error, no endless loop. */
    assert(ftruncate(disk_fd, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_IN, 64, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    /* A chain with nowhere to put the status. */
    fake_descriptor(&machine, 0, 0, BUFFERS, 16, 0, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_close(&machine);

    fake_init(&machine);
    fake_add(&machine, disk(1, true, (struct nl_rate_limiter){0}));
    fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
    assert(machine.device->offered >> VIRTIO_BLK_F_RO & 1);
    assert(request(0, VIRTIO_BLK_T_OUT, 0, 512, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, 0, 512, true, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_UNSUPP);
}

static void await_taken(unsigned queue) {
    uint32_t head, written;
    while (!fake_taken(&machine, queue, &head, &written))
        usleep(100);
}

/* A disk that is quick, or has no end for a read until something is written into a pipe. */
struct moody {
    struct block_backend backend;
    int quick_fd, pipe_fds[2];
    bool slow;
};

static int perform_never(struct block_backend *backend, struct block_request *request) {
    (void)backend, (void)request;
    return -EIO;
}

static bool place_by_mood(struct block_backend *backend, const struct block_request *request,
                          struct block_place *place) {
    const struct moody *moody = (const struct moody *)backend;
    *place = (struct block_place){moody->quick_fd, request->offset};
    if (moody->slow)
        *place = (struct block_place){moody->pipe_fds[0], 0};
    return true;
}

static void close_moody(struct block_backend *backend) {
    const struct moody *moody = (const struct moody *)backend;
    close(moody->quick_fd);
    close(moody->pipe_fds[0]);
    close(moody->pipe_fds[1]);
}

static const struct block_backend_kind moody_kind = {
    .perform = perform_never, .place = place_by_mood, .close = close_moody};

/* Offer a read; whether its answer was there as soon as the guest had notified. Then wait for the answer. */
static bool read_at_once(bool may_wait) {
    uint32_t head, written;
    unsigned before = __atomic_load_n(&machine.interrupts[0], __ATOMIC_RELAXED);
    offer_request(0, VIRTIO_BLK_T_IN, 0, 512, true);
    bool at_once = __atomic_load_n(&machine.interrupts[0], __ATOMIC_RELAXED) != before;
    while (may_wait && __atomic_load_n(&machine.interrupts[0], __ATOMIC_RELAXED) == before)
        usleep(100);
    if (may_wait)
        assert(fake_taken(&machine, 0, &head, &written) && *fake_ram(&machine, BUFFERS + 16, 1) == VIRTIO_BLK_S_OK);
    return at_once;
}

static unsigned gate_inside(void) {
    pthread_mutex_lock(&machine.set.gate.lock);
    unsigned inside = machine.set.gate.inside;
    pthread_mutex_unlock(&machine.set.gate.lock);
    return inside;
}

/* One request at a time to a quick disk: the vCPU that notifies serves it. When it turns out slow, the vCPU goes on, a
 * pause waits for the request, and the thread serves what follows. */
void test_block_by_vcpu(void) {
    struct nl_disk_config config = {.queues = 1, .queue_size = 16};
    static struct moody moody = {.backend = {.kind = &moody_kind, .size = DISK_SIZE}};
    moody.quick_fd = open("/dev/zero", O_RDONLY);
    assert(moody.quick_fd >= 0 && pipe(moody.pipe_fds) == 0);
    fake_init(&machine);
    fake_add(&machine, block_create(&config, &moody.backend));
    if (!machine.device->served_by_vcpu) /* no io_uring on this host */
        return;
    assert(virtio_set_start(&machine.set) == 0);
    fake_drive(&machine, 0, 16);
    unsigned at_once = 0;
    for (unsigned i = 0; i < 500; i++)
        at_once += read_at_once(true);
    assert(at_once > 400);
    while (read_at_once(true))
        continue; /* it was the thread's, the next ones are the vCPU's again */
    while (gate_inside() > 0)
        usleep(100);
    moody.slow = true;
    uint32_t head, written;
    assert(!read_at_once(false) && !fake_taken(&machine, 0, &head, &written) && gate_inside() > 0);
    static const uint8_t data[512] = {1, 2, 3};
    unsigned before = __atomic_load_n(&machine.interrupts[0], __ATOMIC_RELAXED);
    assert(write(moody.pipe_fds[1], data, sizeof(data)) == sizeof(data));
    while (__atomic_load_n(&machine.interrupts[0], __ATOMIC_RELAXED) == before)
        usleep(100);
    assert(fake_taken(&machine, 0, &head, &written) && *fake_ram(&machine, BUFFERS + 16, 1) == VIRTIO_BLK_S_OK);
    assert(memcmp(fake_ram(&machine, BUFFERS + 0x200, 512), data, 512) == 0);
    virtio_set_pause(&machine.set); /* nothing is under way */
    virtio_set_resume(&machine.set);
    moody.slow = false;
    read_at_once(true);
    virtio_set_stop(&machine.set);
}

/* The threads at work: many rounds on two queues, resets and pauses in between. */
void test_block_threads(void) {
    fake_init(&machine);
    fake_add(&machine, disk(2, false, (struct nl_rate_limiter){0}));
    for (int boot = 0; boot < 3; boot++) {
        assert(virtio_set_start(&machine.set) == 0);
        fake_drive(&machine, 0, 16);
        for (unsigned round = 0; round < 500; round++) {
            offer_request(round % 2, VIRTIO_BLK_T_IN, round, 512, true);
            if (round % 50 == 7) {
                virtio_set_pause(&machine.set);
                virtio_set_resume(&machine.set);
            }
            await_taken(round % 2);
            assert(*fake_ram(&machine, BUFFERS + 16, 1) == VIRTIO_BLK_S_OK);
            if (round % 100 == 99) {
                offer_request(0, VIRTIO_BLK_T_IN, 0, 512, true);
                fake_drive(&machine, 0, 16); /* resets with a request under way */
            }
        }
        virtio_set_stop(&machine.set);
        virtio_set_reset(&machine.set);
    }
}

void test_block_rate(void) {
    uint32_t head, written;
    struct nl_rate_limiter limiter = {.ops = {.size = 5, .refill_ms = 500}};
    fake_init(&machine);
    fake_add(&machine, disk(1, false, limiter));
    fake_drive(&machine, 0, 16);
    unsigned done = 0;
    for (unsigned i = 0; i < 8; i++)
        offer_request(0, VIRTIO_BLK_T_FLUSH, 0, 0, false);
    fake_turn(&machine);
    while (fake_taken(&machine, 0, &head, &written))
        done++;
    assert(done == 5 && counted(&machine.device->counters[BLOCK_LIMITED].value) > 0);
    assert(virtio_set_start(&machine.set) == 0); /* the timer brings the rest */
    for (; done < 8; done++)
        await_taken(0);
    virtio_set_stop(&machine.set);
}

/* Two disks draw from one bucket of five requests. */
void test_block_group(void) {
    struct nl_rate_limiter limits = {.ops = {.size = 5, .refill_ms = 1000000000}};
    struct rate_limit_group *list = rate_limit_group_add(NULL, "other", &limits, monotonic_ns());
    list = rate_limit_group_add(list, "slow", &limits, monotonic_ns());
    assert(rate_limit_group_find(list, "none") == NULL);
    struct rate_limit_group *group = rate_limit_group_find(list, "slow");
    unsigned served = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t head, written;
        fake_init(&machine);
        fake_add(&machine, disk(1, false, (struct nl_rate_limiter){.ops = {.size = 1, .refill_ms = 1000000000}}));
        block_join(machine.device, group);
        fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
        for (unsigned request = 0; request < 3; request++) {
            offer_request(0, VIRTIO_BLK_T_IN, 0, 512, true);
            fake_turn(&machine);
            served += fake_taken(&machine, 0, &head, &written);
        }
        assert(machine.device->counters[BLOCK_LIMITED].value == i);
        fake_close(&machine);
    }
    assert(served == 5);
    machine.device = NULL;
    rate_limit_groups_close(list);
}

void test_block_without_ring(void) {
    on_threads = true;
    test_block();
}

void test_block_threads_without_ring(void) {
    on_threads = true;
    test_block_threads();
}

void test_block_rate_without_ring(void) {
    on_threads = true;
    test_block_rate();
}

void test_rate_limiter(void) {
    struct rate_limiter limiter;
    struct nl_rate_limiter config = {.bandwidth = {.size = 1000, .one_time_burst = 500, .refill_ms = 100},
                                     .ops = {.size = 10, .refill_ms = 1000}};
    const uint64_t ms = 1000000;
    rate_limiter_init(&limiter, &config, 0);
    assert(rate_limiter_take(&limiter, 1500, 0) == 0); /* the burst and the bucket */
    uint64_t wait = rate_limiter_take(&limiter, 100, 0);
    assert(wait >= 10 * ms && wait <= 10 * ms + 1);
    assert(rate_limiter_take(&limiter, 100, wait) == 0);
    assert(rate_limiter_take(&limiter, 1, wait) > 0);
    /* A request larger than the bucket goes when it is full, and what follows pays for it. */
    assert(rate_limiter_take(&limiter, 3000, 200 * ms) == 0);
    wait = rate_limiter_take(&limiter, 1, 200 * ms);
    assert(wait > 199 * ms && wait < 201 * ms);
    /* Operations: ten at once, then one each 100 ms. */
    config.bandwidth.size = 0;
    rate_limiter_init(&limiter, &config, 0);
    for (int i = 0; i < 10; i++)
        assert(rate_limiter_take(&limiter, 1 << 20, 0) == 0);
    wait = rate_limiter_take(&limiter, 1, 0);
    assert(wait > 99 * ms && wait < 101 * ms && rate_limiter_take(&limiter, 1, 100 * ms) == 0);
    /* A clock that stands still or goes back gives nothing; one that jumps fills the bucket once. */
    assert(rate_limiter_take(&limiter, 1, 50 * ms) > 0);
    for (int i = 0; i < 10; i++)
        assert(rate_limiter_take(&limiter, 1, UINT64_MAX / 2) == 0);
    assert(rate_limiter_take(&limiter, 1, UINT64_MAX / 2) > 0);
    memset(&config, 0, sizeof(config));
    rate_limiter_init(&limiter, &config, 0);
    assert(!rate_limiter_limits(&limiter));
}
