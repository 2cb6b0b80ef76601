/* All virtio devices of a machine, with the bus they sit on and the thread that serves them. No KVM in here. */
#pragma once
#include "saved_state.h"
#include "virtio/virtio.h"

struct virtio_set {
    struct pci_bus pci;
    struct gate gate;
    struct loop loop;
    struct virtio_host host;
    struct virtio_device *devices[PCI_DEVICES];
    unsigned count;
    bool paused, started;
    bool loop_wanted; /* by something that is no virtio device */
};

/* 0 or a negative errno. ``memory`` may be filled in until a device is started. */
int virtio_set_init(struct virtio_set *set, struct bus *bus, const struct guest_memory *memory,
                    struct virtio_hooks hooks);
/* Takes ``device`` (NULL: -ENOMEM) and frees it when it fails. The id is cut to what fits. No vCPU may run, the devices
 * may: this one begins with them. */
int virtio_set_add(struct virtio_set *set, struct virtio_device *device, const char *id);
/* Free a device that is not to be added. NULL: nothing to do. */
void virtio_set_refuse(struct virtio_set *set, struct virtio_device *device);
/* Take it off the bus and free it, whatever its driver is doing with it: what is under way is brought to its end first.
 * No vCPU may run and the set must not be paused. 0 or a negative errno: then no device is served any more. */
int virtio_set_remove(struct virtio_set *set, struct virtio_device *device);
/* Threads on and off; the devices keep their state. Repeatable. */
int virtio_set_start(struct virtio_set *set);
void virtio_set_stop(struct virtio_set *set);
/* No device touches the guest's memory between the two; nothing that comes meanwhile is lost. Repeatable. */
void virtio_set_pause(struct virtio_set *set);
/* What came while paused begins to work: 0 or a negative errno. */
int virtio_set_resume(struct virtio_set *set);
/* As after power-on; only while stopped. */
void virtio_set_reset(struct virtio_set *set);
/* snapshot.c: what the drivers see of devices and bus. Of a paused set; into one that has the same devices in the same
 * slots and was not started: false when it has not. */
void virtio_set_save(struct virtio_set *set, struct saved_state *state);
bool virtio_set_restore(struct virtio_set *set, const struct saved_state *state);
void virtio_set_close(struct virtio_set *set);
