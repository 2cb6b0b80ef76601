/* virtio-console: one port. Virtual I/O Device 1.2, section 5.3.
 *
 * What the guest writes goes to a descriptor. Where that takes no more, the guest's buffers wait with it: unlike a
 * serial port's, its output is not lost on the way. Linux spins for each buffer until it is given back, so the vCPU
 * that notifies writes it out itself. */
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "virtio/kinds.h"

#define QUEUE_SIZE 64
#define INPUT_SIZE 4096
#define TURN_BYTES 65536 /* of output at once; others want their turn */

enum { RECEIVE, TRANSMIT };
enum { BYTES_OUT, BYTES_IN, BYTES_DROPPED };
static const char *const counter_names[] = {"bytes_out", "bytes_in", "bytes_dropped"};

struct console_device {
    struct virtio_device device;
    struct loop_source out; /* -1: nobody listens */
    bool sending;           /* ``chain`` is on its way out */
    struct chain chain;
    uint8_t input[INPUT_SIZE]; /* a ring: what the host has sent and the guest has no buffers for yet */
    size_t input_start, input_size;
};

/* Send of the chain what the descriptor takes; false when it or we need a pause. */
static bool send_some(struct console_device *console, size_t *budget) {
    struct virtio_device *device = &console->device;
    struct chain *chain = &console->chain;
    while (chain->out_count > 0) {
        struct iovec *piece = chain->out;
        size_t part = piece->iov_len < *budget ? piece->iov_len : *budget;
        if (part == 0 && piece->iov_len > 0) {
            virtio_kick(device, TRANSMIT);
            return false;
        }
        ssize_t done = console->out.fd < 0 ? -1 : write(console->out.fd, piece->iov_base, part);
        if (done < 0 && console->out.fd >= 0 && errno == EINTR) /* a vCPU's kick */
            continue;
        if (done < 0 && console->out.fd >= 0 && errno == EAGAIN) {
            loop_change(device->loop, &console->out, EPOLLOUT);
            return false;
        }
        size_t gone = done < 0 ? part : (size_t)done;
        count_shared(&device->counters[done < 0 ? BYTES_DROPPED : BYTES_OUT].value, gone);
        *budget -= gone;
        piece->iov_base = (uint8_t *)piece->iov_base + gone;
        piece->iov_len -= gone;
        if (piece->iov_len == 0) {
            chain->out++;
            chain->out_count--;
        }
    }
    return true;
}

static void transmit(struct console_device *console) {
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[TRANSMIT];
    size_t budget = TURN_BYTES;
    bool going = true;
    do {
        virtqueue_hold_kicks(queue);
        while (console->sending || (console->sending = virtio_pop(device, TRANSMIT, &console->chain))) {
            if (!(going = send_some(console, &budget)))
                break;
            virtqueue_push(queue, console->chain.head, 0);
            console->sending = false;
        }
    } while (going && virtqueue_await_kicks(queue));
    virtio_tell(device, TRANSMIT);
}

static void receive(struct console_device *console) {
    struct virtio_device *device = &console->device;
    struct virtqueue *queue = &device->queues[RECEIVE];
    struct chain chain;
    do {
        virtqueue_hold_kicks(queue);
        while (console->input_size > 0 && virtio_pop(device, RECEIVE, &chain)) {
            uint32_t written = 0;
            while (console->input_size > 0 && chain.in_size > 0) {
                size_t part = INPUT_SIZE - console->input_start;
                part = part < console->input_size ? part : console->input_size;
                part = part < chain.in_size ? part : (size_t)chain.in_size;
                chain_write(&chain, console->input + console->input_start, part);
                console->input_start = (console->input_start + part) % INPUT_SIZE;
                console->input_size -= part;
                written += (uint32_t)part;
            }
            virtqueue_push(queue, chain.head, written);
        }
    } while (virtqueue_await_kicks(queue) && console->input_size > 0);
    virtio_tell(device, RECEIVE);
}

static void process(struct virtio_device *device, unsigned index) {
    if (index == RECEIVE)
        receive(device->state);
    else
        transmit(device->state);
}

static void on_out(void *opaque, uint32_t events) {
    struct console_device *console = opaque;
    struct virtio_device *device = &console->device;
    pthread_mutex_lock(&device->lock);
    if (events & (EPOLLERR | EPOLLHUP)) { /* nobody will ever take anything */
        loop_remove(device->loop, &console->out);
        close(console->out.fd);
        console->out.fd = -1;
    } else {
        loop_change(device->loop, &console->out, 0);
    }
    if (virtio_running(device) && device->queues[TRANSMIT].ready)
        transmit(console);
    pthread_mutex_unlock(&device->lock);
}

static void reset(struct virtio_device *device) {
    struct console_device *console = device->state;
    console->sending = false;
    console->input_size = 0;
    if (console->out.fd >= 0)
        loop_change(device->loop, &console->out, 0);
}

/* A regular file is always ready and cannot be waited for. */
static int attached(struct virtio_device *device) {
    struct console_device *console = device->state;
    int result = console->out.fd < 0 ? 0 : loop_add(device->loop, &console->out, 0);
    return result == -EPERM ? 0 : result;
}

static void close_console(struct virtio_device *device) {
    struct console_device *console = device->state;
    if (console->out.fd >= 0)
        close(console->out.fd);
}

static unsigned held(struct virtio_device *device, unsigned queue) {
    const struct console_device *console = device->state;
    return queue == TRANSMIT && console->sending ? 1 : 0;
}

static const struct virtio_kind kind = {.name = "console",
                                        .type = VIRTIO_ID_CONSOLE,
                                        .pci_class = 0x078000,
                                        .attached = attached,
                                        .process = process,
                                        .reset = reset,
                                        .held = held,
                                        .close = close_console};

struct virtio_device *virtio_console_create(int out_fd) {
    struct console_device *console = calloc(1, sizeof(*console));
    if (console == NULL)
        return NULL;
    struct virtio_device *device = &console->device;
    device->kind = &kind;
    device->state = console;
    device->offered = 1ull << VIRTIO_CONSOLE_F_SIZE;
    device->config_size = offsetof(struct virtio_console_config, max_nr_ports);
    device->queue_count = 2;
    device->served_by_vcpu = 1u << TRANSMIT;
    device->queues[RECEIVE].max_size = device->queues[TRANSMIT].max_size = QUEUE_SIZE;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    console->out = (struct loop_source){.fd = out_fd, .ready = on_out, .opaque = console};
    return device;
}

size_t virtio_console_input(struct virtio_device *device, const uint8_t *data, size_t size) {
    struct console_device *console = device->state;
    pthread_mutex_lock(&device->lock);
    size_t taken = INPUT_SIZE - console->input_size < size ? INPUT_SIZE - console->input_size : size;
    for (size_t i = 0; i < taken; i++)
        console->input[(console->input_start + console->input_size++) % INPUT_SIZE] = data[i];
    count_shared(&device->counters[BYTES_IN].value, taken);
    pthread_mutex_unlock(&device->lock);
    if (taken > 0)
        virtio_kick(device, RECEIVE);
    return taken;
}

void virtio_console_resize(struct virtio_device *device, uint16_t columns, uint16_t rows) {
    const uint16_t size[2] = {columns, rows};
    pthread_mutex_lock(&device->lock);
    if (memcmp(device->config, size, sizeof(size)) != 0) {
        memcpy(device->config, size, sizeof(size));
        memcpy(device->config_initial, size, sizeof(size)); /* a reset does not change the window */
        virtio_config_changed(device);
    }
    pthread_mutex_unlock(&device->lock);
}
