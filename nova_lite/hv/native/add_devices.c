/* What Python calls to give a machine its virtio devices, before it is started or while it is on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "virtio/kinds.h"

static bool good_queue_size(uint32_t size) {
    return size >= 2 && size <= VIRTIO_QUEUE_SIZE_MAX && (size & (size - 1)) == 0;
}

static int check(struct nl_machine *machine) {
    int state = atomic_load(&machine->state);
    return state == NL_CREATED || state == NL_RUNNING || state == NL_PAUSED ? 0 : -EBUSY;
}

static int keep(int fd, struct nl_error *error) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return own < 0 ? fail(error, errno, "keep a device's file") : own;
}

/* With no vCPU in the guest. The slot, or a negative errno. */
static int plug(struct nl_machine *machine, const char *id, struct virtio_device *device, struct nl_error *error) {
    int result = virtio_set_add(&machine->virtio, device, id);
    if (result < 0)
        return fail(error, -result, "put a device on the PCI bus");
    unsigned number = device->number;
    if (atomic_load(&machine->state) == NL_CREATED)
        return (int)number;
    pci_bus_plugged(&machine->virtio.pci, number);
    result = kvm_pulse_hotplug(machine, error);
    return result < 0 ? result : (int)number;
}

/* The last step of all of them. ``fd``: what the device owns, closed when it could not even be made; or -1. */
static int add(struct nl_machine *machine, const char *id, struct virtio_device *device, int fd,
               struct nl_error *error) {
    if (device == NULL && fd >= 0)
        close(fd);
    int result = machine_hold(machine, error);
    if (result < 0) {
        virtio_set_refuse(&machine->virtio, device);
        return result;
    }
    result = plug(machine, id, device, error);
    machine_let_go(machine);
    return result;
}

int nl_machine_add_rng(struct nl_machine *machine, const char *id, int32_t fd, struct nl_error *error) {
    int own = check(machine);
    if (own < 0 || (own = keep(fd, error)) < 0)
        return own;
    return add(machine, id, rng_create(own), own, error);
}

static int open_backend(const struct nl_disk_config *config, struct block_backend **backend, struct nl_error *error) {
    bool overlay = config->overlay.size > 0;
    int base = -1, own = keep(config->fd, error);
    if (own < 0)
        return own;
    if (overlay && config->base_fd >= 0 && (base = keep(config->base_fd, error)) < 0) {
        close(own);
        return base;
    }
    *backend = overlay ? block_overlay_open(own, base, &config->overlay) : block_raw_open(own);
    if (*backend != NULL)
        return 0;
    int result = fail(error, errno, "use a disk's file");
    close(own);
    if (base >= 0)
        close(base);
    return result;
}

int nl_machine_add_disk(struct nl_machine *machine, const char *id, const struct nl_disk_config *config,
                        struct nl_error *error) {
    int own = check(machine);
    if (own < 0)
        return own;
    if (config->queues < 1 || config->queues >= VIRTIO_QUEUES || !good_queue_size(config->queue_size))
        return fail(error, EINVAL, "make queues of this number or size");
    struct rate_limit_group *group = NULL;
    if (config->rate_limit_group[0] != '\0' &&
        (group = rate_limit_group_find(machine->rate_limit_groups, config->rate_limit_group)) == NULL)
        return fail(error, ENOENT, "find a disk's rate limit group");
    struct block_backend *backend;
    if ((own = open_backend(config, &backend, error)) < 0)
        return own;
    struct virtio_device *device = block_create(config, backend);
    if (device == NULL)
        backend->kind->close(backend);
    else
        block_join(device, group);
    return add(machine, id, device, -1, error);
}

int nl_machine_add_net(struct nl_machine *machine, const char *id, const struct nl_net_config *config,
                       struct nl_error *error) {
    struct nl_net_config own = *config;
    int result = check(machine);
    if (result < 0)
        return result;
    if (config->pairs < 1 || config->pairs > NL_NET_PAIRS || !good_queue_size(config->queue_size))
        return fail(error, EINVAL, "make queues of this number or size");
    uint32_t kept = 0;
    while (kept < config->pairs && (own.tap_fds[kept] = keep(config->tap_fds[kept], error)) >= 0)
        kept++;
    if (kept == config->pairs) {
        struct virtio_device *device = net_create(&own);
        if (device != NULL)
            return add(machine, id, device, -1, error);
        result = fail(error, ENOMEM, "put a device on the PCI bus");
    } else {
        result = own.tap_fds[kept];
    }
    while (kept > 0)
        close(own.tap_fds[--kept]);
    return result;
}

int nl_machine_add_vsock(struct nl_machine *machine, const char *id, const struct nl_vsock_config *config,
                         struct nl_error *error) {
    struct nl_vsock_config own = *config;
    int result = check(machine);
    if (result < 0)
        return result;
    if ((own.listen_fd = keep(config->listen_fd, error)) < 0)
        return own.listen_fd;
    return add(machine, id, vsock_create(&own), own.listen_fd, error);
}

int nl_machine_add_rate_limit_group(struct nl_machine *machine, const char *id, const struct nl_rate_limiter *config,
                                    struct nl_error *error) {
    int result = check(machine);
    if (result < 0)
        return result;
    struct rate_limit_group *group = rate_limit_group_add(machine->rate_limit_groups, id, config, monotonic_ns());
    if (group == NULL)
        return fail(error, ENOMEM, "make room for a rate limit group");
    machine->rate_limit_groups = group;
    return 0;
}

int nl_machine_add_balloon(struct nl_machine *machine, const char *id, const struct nl_balloon_config *config,
                           struct nl_error *error) {
    int result = check(machine);
    if (result < 0)
        return result;
    struct virtio_device *balloon = balloon_create(config);
    result = add(machine, id, balloon, -1, error);
    if (result >= 0 && machine->balloon == NULL)
        machine->balloon = balloon;
    return result;
}

int nl_machine_resize_balloon(struct nl_machine *machine, uint64_t size, struct nl_error *error) {
    if (machine->balloon == NULL)
        return fail(error, ENODEV, "resize the balloon");
    balloon_resize(machine->balloon, size);
    return 0;
}

uint64_t nl_machine_balloon_actual(struct nl_machine *machine) {
    uint64_t actual = machine->balloon == NULL ? 0 : balloon_actual(machine->balloon);
    return actual < machine->memory_config.size ? actual : machine->memory_config.size;
}

int nl_machine_add_console(struct nl_machine *machine, const char *id, int32_t out_fd, struct nl_error *error) {
    int result = check(machine), own = -1;
    if (result < 0)
        return result;
    if (machine->console != NULL)
        return fail(error, EEXIST, "add a console");
    if (out_fd >= 0 && (own = keep(out_fd, error)) < 0)
        return own;
    struct virtio_device *console = virtio_console_create(own);
    result = add(machine, id, console, own, error);
    if (result >= 0)
        machine->console = console;
    return result;
}

size_t nl_machine_console_input(struct nl_machine *machine, const void *data, size_t size) {
    return machine->console == NULL ? 0 : virtio_console_input(machine->console, data, size);
}

void nl_machine_console_resize(struct nl_machine *machine, uint16_t columns, uint16_t rows) {
    if (machine->console != NULL)
        virtio_console_resize(machine->console, columns, rows);
}

int nl_machine_device_counters(struct nl_machine *machine, uint32_t index, struct nl_device_counters *counters) {
    if (index >= machine->virtio.count)
        return -EINVAL;
    struct virtio_device *device = machine->virtio.devices[index];
    const struct virtio_counter common[] = {{"notifications", counted(&device->notifications)},
                                            {"interrupts", counted(&device->interrupts)},
                                            {"resets", counted(&device->resets)},
                                            {"broken", counted(&device->broken)}};
    const unsigned common_count = sizeof(common) / sizeof(common[0]);
    _Static_assert(sizeof(common) / sizeof(common[0]) + VIRTIO_COUNTERS <= NL_DEVICE_VALUES, "all have room");
    memset(counters, 0, sizeof(*counters));
    memcpy(counters->id, device->id, sizeof(counters->id));
    counters->number = device->number;
    counters->count = common_count + device->counter_count;
    for (unsigned i = 0; i < counters->count; i++) {
        bool own = i >= common_count;
        const char *name = own ? device->counters[i - common_count].name : common[i].name;
        snprintf(counters->names[i], sizeof(counters->names[i]), "%s", name);
        counters->values[i] = own ? counted(&device->counters[i - common_count].value) : common[i].value;
    }
    return 0;
}

void nl_machine_next_slot(struct nl_machine *machine, uint32_t slot) {
    machine->virtio.pci.wanted = slot;
}
