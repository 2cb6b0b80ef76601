/* libFuzzer target: a hostile guest at one virtio device, or at the platform (platform_target.c). Which one, FUZZ_KIND
 * in the environment says.
 *
 * The input is a list of what the guest and the outside world do; see one_step. It always starts on a fresh machine. */
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_machine.h"
#include "platform_target.h"
#include "virtio/kinds.h"

#define DISK_SIZE 65536

static int outside = -1; /* the far end of what the device is connected to */

static struct virtio_device *make_device(void) {
    const char *kind = getenv("FUZZ_KIND");
    int ends[2];
    if (kind == NULL)
        abort();
    if (strcmp(kind, "rng") == 0)
        return rng_create(open("/dev/zero", O_RDONLY));
    if (strcmp(kind, "balloon") == 0) {
        struct nl_balloon_config config = {.size = 65536, .deflate_on_oom = 1, .free_page_reporting = 1};
        return balloon_create(&config);
    }
    if (strncmp(kind, "block", 5) == 0) {
        struct nl_disk_config config = {.queues = 2, .queue_size = 16, .discard = 1, .serial = "fuzz"};
        config.disable_io_uring = strcmp(kind, "block-ring") != 0;
        int fd = memfd_create("disk", MFD_CLOEXEC);
        if (ftruncate(fd, DISK_SIZE) < 0)
            abort();
        return block_create(&config, block_raw_open(fd));
    }
    if (strcmp(kind, "overlay") == 0) {
        struct nl_disk_config config = {.queues = 2, .queue_size = 16, .discard = 1, .serial = "fuzz"};
        struct nl_overlay_config overlay = {.size = DISK_SIZE, .bitmap_offset = 4096, .data_offset = 8192};
        int fd = memfd_create("overlay", MFD_CLOEXEC), base_fd = memfd_create("base", MFD_CLOEXEC);
        if (ftruncate(fd, 8192 + DISK_SIZE) < 0 || ftruncate(base_fd, DISK_SIZE / 2 + 700) < 0)
            abort();
        return block_create(&config, block_overlay_open(fd, base_fd, &overlay));
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
        struct nl_vsock_config config = {.cid = 3, .path = "/nonexistent/vsock"};
        config.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        outside = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(config.listen_fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
            listen(config.listen_fd, 8) < 0 ||
            getsockname(config.listen_fd, (struct sockaddr *)&address, &length) < 0 ||
            connect(outside, (struct sockaddr *)&address, length) < 0 || write(outside, "CONNECT 5\n", 10) != 10)
            abort();
        return vsock_create(&config);
    }
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    outside = ends[0];
    struct nl_net_config config = {.pairs = 1, .tap_fds = {ends[1]}, .queue_size = 16, .mtu = 1500, .offload_csum = 1, .offload_tso = 1};
    return net_create(&config);
}

struct input {
    const uint8_t *at, *end;
};

static uint32_t take(struct input *input, unsigned size) {
    uint32_t value = 0;
    for (unsigned i = 0; i < size && input->at < input->end; i++)
        value |= (uint32_t)*input->at++ << (8 * i);
    return value;
}

static void one_step(struct fake_machine *machine, struct input *input) {
    static const unsigned sizes[] = {1, 2, 4, 8};
    uint32_t what = take(input, 1), a, b, size;
    uint8_t *ram = machine->memory.regions[0].host, drop[2048];
    unsigned queue = what >> 4 & 1;
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
        if (outside >= 0 && send(outside, drop, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            fake_turn(machine);
        break;
    case 9:
        virtio_set_reset(&machine->set);
        break;
    default:
        fake_turn(machine);
        while (outside >= 0 && recv(outside, drop, sizeof(drop), MSG_DONTWAIT) > 0)
            continue;
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
    fake_init(&machine);
    fake_add(&machine, make_device());
    fake_drive(&machine, UINT64_MAX, 16);
    for (unsigned steps = 0; steps < 256 && input.at < input.end; steps++)
        one_step(&machine, &input);
    fake_turn(&machine);
    fake_close(&machine);
    if (outside >= 0)
        close(outside);
    outside = -1;
    return 0;
}
