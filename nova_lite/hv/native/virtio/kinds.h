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
struct virtio_device *balloon_create(const struct nl_balloon_config *config);
