/* libFuzzer target: a hostile guest at one virtio device, or at the platform (platform_target.c). Which one, FUZZ_KIND
 * in the environment says.
 *
 * The input is a list of what the guest and the outside world do; see one_step. It always starts on a fresh machine. */
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_machine.h"
#include "input.h"
#include "overlay_files.h"
#include "platform_target.h"
#include "virtio/block.h"
#include "virtio/kinds.h"

#define DISK_SIZE 65536

static int outside = -1;  /* the far end of what the device is connected to */
static int answered = -1; /* the far end of the connection that the guest made last (vsock) */
static int listener = -1; /* where the guest's connections to port 1 come in */
static char folder[] = "/tmp/nova-lite-fuzz-XXXXXX", listener_path[64];

static void remove_listener(void) {
    unlink(listener_path);
    rmdir(folder);
}

/* Once for all inputs: there is no listening at a path in <folder>/vsock_1 without a file system. */
static void listen_for_guest(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (listener >= 0)
        return;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(listener_path, sizeof(listener_path), "%s/vsock_1", folder);
    strcpy(address.sun_path, listener_path);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 8) < 0)
        abort();
    atexit(remove_listener);
}

static void answer_guest(void) {
    int fd;
    while (listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (answered >= 0)
            close(answered);
        answered = fd;
    }
}

static int tap_pair(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    if (outside >= 0)
        close(outside);
    outside = ends[0];
    return ends[1];
}

/* NULL when the input describes none that can be. */
static struct virtio_device *make_device(const char *kind, struct input *input) {
    int ends[2];
    if (strcmp(kind, "rng") == 0)
        return rng_create(open("/dev/zero", O_RDONLY));
    if (strcmp(kind, "balloon") == 0) {
        struct nl_balloon_config config = {.size = 65536, .deflate_on_oom = 1, .free_page_reporting = 1};
        return balloon_create(&config);
    }
    if (strncmp(kind, "block", 5) == 0) {
        struct nl_disk_config config = {.queues = 2, .queue_size = 16, .discard = 1, .serial = "fuzz"};
        config.disable_io_uring = strcmp(kind, "block-ring") != 0 && strcmp(kind, "block-vcpu") != 0;
        if (strcmp(kind, "block-limited") == 0)
            config.limiter = (struct nl_rate_limiter){{.size = 2000, .one_time_burst = 500, .refill_ms = 1000},
                                                      {.size = 3, .refill_ms = 1000}};
        int fd = memfd_create("disk", MFD_CLOEXEC);
        if (ftruncate(fd, DISK_SIZE) < 0)
            abort();
        struct virtio_device *device = block_create(&config, block_raw_open(fd));
        if (strcmp(kind, "block-vcpu") == 0 && device->served_by_vcpu != 0)
            block_ring_by_vcpu(device->state);
        return device;
    }
    if (strncmp(kind, "overlay", 7) == 0) {
        struct nl_disk_config config = {.queues = 2, .queue_size = 16, .discard = 1, .serial = "fuzz"};
        uint8_t flags = input->at < input->end ? *input->at : 0; /* overlay_of leaves these two to us */
        struct block_backend *backend =
            strcmp(kind, "overlay-file") == 0 ? overlay_of(input) : overlay_of_size(DISK_SIZE, DISK_SIZE / 2 + 700);
        config.disable_io_uring = strcmp(kind, "overlay-ring") != 0;
        if (strcmp(kind, "overlay-file") == 0) {
            config.read_only = (flags & 0x10) != 0;
            config.disable_io_uring = (flags & 0x20) == 0;
        }
        return backend == NULL ? NULL : block_create(&config, backend);
    }
    if (strcmp(kind, "console") == 0) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
            abort();
        outside = ends[0];
        return virtio_console_create(ends[1]);
    }
    if (strcmp(kind, "vsock") == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX}; /* bound to no name: the kernel finds an abstract one */
        socklen_t length = sizeof(address);
        struct nl_vsock_config config = {.cid = 3, };
        listen_for_guest();
        snprintf(config.path, sizeof(config.path), "%s/vsock", folder);
        config.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        outside = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(config.listen_fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
            listen(config.listen_fd, 8) < 0 ||
            getsockname(config.listen_fd, (struct sockaddr *)&address, &length) < 0 ||
            connect(outside, (struct sockaddr *)&address, length) < 0 || write(outside, "CONNECT 5\n", 10) != 10)
            abort();
        return vsock_create(&config);
    }
    struct nl_net_config config = {
        .pairs = 1, .tap_fds = {tap_pair()}, .queue_size = 16, .mtu = 1500, .offload_csum = 1, .offload_tso = 1};
    if (strcmp(kind, "net-queues") == 0) { /* several pairs, the control queue, and a limit */
        config.pairs = 2;
        config.tap_fds[1] = tap_pair();
        config.limiter.bandwidth = (struct nl_token_bucket){.size = 5000, .refill_ms = 1000};
    }
    return net_create(&config);
}

static void one_step(struct fake_machine *machine, struct input *input) {
    static const unsigned sizes[] = {1, 2, 4, 8};
    uint32_t what = take(input, 1), a, b, size;
    uint8_t *ram = machine->memory.regions[0].host, drop[2048];
    unsigned queues = machine->device->queue_count;
    unsigned queue = queues > 3 ? (what >> 4) % queues : what >> 4 & 1;
    switch (what & 15) {
    case 0: /* write into memory */
        a = take(input, 3) % RAM_SIZE;
        size = take(input, 1);
        for (b = 0; b < size && a + b < RAM_SIZE && input->at < input->end; b++)
            ram[a + b] = *input->at++;
        break;
    case 1:
        a = take(input, 2);
        fake_bar_write(machine, a, sizes[what >> 4 & 3], take(input, 4));
        break;
    case 2:
        fake_bar_read(machine, take(input, 2), sizes[what >> 4 & 3]);
        break;
    case 3:
        a = take(input, 1);
        fake_config_write(machine, a & ~(sizes[what >> 4 & 3] - 1), sizes[(what >> 4 & 3) % 3], take(input, 4));
        break;
    case 4:
        fake_config_read(machine, take(input, 1) & ~3u, 4);
        break;
    case 5:
        fake_drive(machine, (what & 0x20 ? UINT64_MAX : 0) & ~((uint64_t)(what >> 6) << 28), 16);
        break;
    case 6: /* a descriptor of the right form */
        a = take(input, 1) % 16;
        b = take(input, 3) % (RAM_SIZE + 64);
        size = take(input, 2);
        fake_descriptor(machine, queue, a, b, size, (uint16_t)(take(input, 1) & 7), (uint16_t)take(input, 1) % 18);
        break;
    case 7:
        if (machine->device->queues[queue].size > 0)
            fake_offer(machine, queue, (uint16_t)(take(input, 1) % 18));
        break;
    case 8: /* from outside */
        size = take(input, 2) % sizeof(drop);
        memset(drop, 0x5a, sizeof(drop));
        if (machine->device->kind->type == VIRTIO_ID_CONSOLE) {
            virtio_console_resize(machine->device, (uint16_t)size, 25);
            if (virtio_console_input(machine->device, drop, size) > size)
                abort();
            fake_turn(machine);
            break;
        }
        a = (uint32_t)(what & 0x20 && answered >= 0 ? answered : outside);
        if ((int)a >= 0 && send((int)a, drop, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            fake_turn(machine);
        if (what & 0x40 && answered >= 0)
            shutdown(answered, what & 0x80 ? SHUT_RDWR : SHUT_WR);
        break;
    case 9:
        virtio_set_reset(&machine->set);
        break;
    default:
        fake_turn(machine);
        answer_guest();
        while (outside >= 0 && recv(outside, drop, sizeof(drop), MSG_DONTWAIT) > 0)
            continue;
        while (answered >= 0 && (what & 0x10) == 0 && recv(answered, drop, sizeof(drop), MSG_DONTWAIT) > 0)
            continue; /* else it does not read, and what the guest sends has to be kept */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fake_machine machine;
    struct input input = {data, data + size};
    const char *kind = getenv("FUZZ_KIND");
    if (kind == NULL)
        abort();
    if (platform_input(kind, data, size))
        return 0;
    struct virtio_device *device = make_device(kind, &input);
    if (device == NULL)
        return 0;
    fake_init(&machine);
    fake_add(&machine, device);
    fake_drive(&machine, UINT64_MAX, 16);
    for (unsigned steps = 0; steps < 256 && input.at < input.end; steps++)
        one_step(&machine, &input);
    fake_turn(&machine);
    fake_close(&machine);
    overlay_check();
    answer_guest();
    if (outside >= 0)
        close(outside);
    if (answered >= 0)
        close(answered);
    outside = answered = -1;
    return 0;
}
