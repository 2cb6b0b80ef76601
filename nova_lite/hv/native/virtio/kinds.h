/* The devices there are. Each function makes one, not attached yet; NULL when there is no room for it.
 *
 * Descriptors become the device's with the call's success. No KVM in here. */
#pragma once
#include "interface.h"
#include "virtio/block_backend.h"
#include "virtio/rate_limiter.h"
#include "virtio/virtio.h"

struct virtio_device *rng_create(int fd);
/* Its data are the backend's, not ``config->fd``'s; takes the backend. */
struct virtio_device *block_create(const struct nl_disk_config *config, struct block_backend *backend);
/* The group's limits hold for it in place of its own. Before it is started. */
void block_join(struct virtio_device *device, struct rate_limit_group *group);
struct virtio_device *net_create(const struct nl_net_config *config);
struct virtio_device *vsock_create(const struct nl_vsock_config *config);
/* Output goes to ``out_fd``, nonblocking, or nowhere when that is -1. */
struct virtio_device *virtio_console_create(int out_fd);
/* Input from the host; returns how many bytes there was room for. From any thread. */
size_t virtio_console_input(struct virtio_device *device, const uint8_t *data, size_t size);
void virtio_console_resize(struct virtio_device *device, uint16_t columns, uint16_t rows);
struct virtio_device *balloon_create(const struct nl_balloon_config *config);
/* From now on the guest is asked for so many bytes; it is told when it listens. */
void balloon_resize(struct virtio_device *device, uint64_t size);
/* Bytes that the guest says it has given up: any number at all. */
uint64_t balloon_actual(struct virtio_device *device);
