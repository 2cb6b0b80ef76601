/* The devices there are. Each function makes one, not attached yet; NULL when there is no room for it.
 *
 * Descriptors become the device's with the call's success. No KVM in here. */
#pragma once
#include "interface.h"
#include "virtio/block_backend.h"
#include "virtio/virtio.h"

struct virtio_device *rng_create(int fd);
/* Its data are the backend's, not ``config->fd``'s; takes the backend. */
struct virtio_device *block_create(const struct nl_disk_config *config, struct block_backend *backend);
struct virtio_device *net_create(const struct nl_net_config *config);
struct virtio_device *vsock_create(const struct nl_vsock_config *config);
/* Output goes to ``out_fd``, nonblocking, or nowhere when that is -1. */
struct virtio_device *virtio_console_create(int out_fd);
/* Input from the host; returns how many bytes there was room for. From any thread. */
size_t virtio_console_input(struct virtio_device *device, const uint8_t *data, size_t size);
void virtio_console_resize(struct virtio_device *device, uint16_t columns, uint16_t rows);
struct virtio_device *balloon_create(const struct nl_balloon_config *config);
