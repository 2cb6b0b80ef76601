/* A virtio device: what the transport knows of it, and what it may ask of the transport. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "counter.h"
#include "memory.h"
#include "pci/msix.h"
#include "pci/pci.h"
#include "virtio/gate.h"
#include "virtio/loop.h"
#include "virtio/queue.h"

#define VIRTIO_QUEUES 17 /* and one vector more, for changes of the configuration */
#define VIRTIO_QUEUE_SIZE_MAX 1024
#define VIRTIO_CONFIG_SIZE 128
#define VIRTIO_COUNTERS 14
#define NO_VECTOR 0xffff

struct virtio_device;

/* What makes a device of its kind. Hooks may be NULL unless said otherwise. */
struct virtio_kind {
    const char *name;
    uint16_t type; /* Virtual I/O Device 1.2, chapter 5 */
    uint32_t pci_class;
    bool own_threads; /* which wait for the queues' kick_fd themselves; otherwise the device loop does */
    /* Chains may wait in the queue; in the device loop or, if served_by_vcpu, in the thread of the vCPU that notifies,
     * with the device's lock held. Must not be NULL unless own_threads. */
    void (*process)(struct virtio_device *device, unsigned queue);
    /* The same with own_threads, for queues with served_by_vcpu: whether it is left to the threads after all. */
    bool (*notified)(struct virtio_device *device);
    /* The driver is ready: features and queues stand. With the lock held. */
    void (*activate)(struct virtio_device *device);
    /* Forget everything of the driver. With the lock held, nothing is in flight. */
    void (*reset)(struct virtio_device *device);
    /* The driver wrote to ``config``, which has the new bytes already. With the lock held. */
    void (*config_written)(struct virtio_device *device);
    /* The device is on the bus, its loop known; 0 or a negative errno. */
    int (*attached)(struct virtio_device *device);
    /* The device's own threads; both repeatable. */
    int (*start)(struct virtio_device *device);
    void (*stop)(struct virtio_device *device);
    /* The machine is paused or has stopped, nothing is in flight: get what is kept in memory into files. */
    void (*settle)(struct virtio_device *device);
    /* For a snapshot, of a paused machine and with the lock held: what the kind has to remember beside queues and
     * configuration, and how many chains of a queue it has taken and not given back. The way back, after activate. */
    uint64_t (*save)(struct virtio_device *device);
    unsigned (*held)(struct virtio_device *device, unsigned queue);
    void (*restore)(struct virtio_device *device, uint64_t saved);
    /* Close what the device opened; its threads have ended. */
    void (*close)(struct virtio_device *device);
};

struct virtio_counter {
    const char *name;
    counter value;
};

/* Leads out of the device core. Each may be NULL. */
struct virtio_hooks {
    void (*fire)(void *opaque, struct virtio_device *device, unsigned vector, uint64_t address, uint32_t data);
    /* Where notifications of the driver arrive from now on; PCI_NOT_DECODED: nowhere. */
    void (*notify_at)(void *opaque, struct virtio_device *device, uint64_t address);
    void *opaque;
    /* A device has come, nobody uses it yet: 0 or a negative errno. It goes, nobody uses it any more: always called. */
    int (*added)(void *opaque, struct virtio_device *device);
    void (*removed)(void *opaque, struct virtio_device *device);
};

/* The loop waits for a queue's notifications. */
struct virtio_kick {
    struct loop_source source;
    struct virtio_device *device;
};

struct virtio_device {
    const struct virtio_kind *kind;
    void *state; /* the kind's own */
    /* A bit for each queue whose notifications the vCPU that sends them serves itself, because it does nothing but wait
     * for the answer: it would only wait longer for another thread. */
    uint32_t served_by_vcpu;
    char id[32]; /* the user's name of it */
    unsigned number; /* on the PCI bus */
    bool started;    /* its own threads run */
    const struct guest_memory *memory;
    struct gate *gate;
    struct loop *loop;
    struct virtio_hooks hooks;
    void *glue; /* what the hooks keep */

    pthread_mutex_t lock; /* of everything below and of the queues */
    pthread_cond_t idle;
    unsigned in_flight; /* requests that other threads work on */
    uint64_t offered, accepted;
    uint32_t offered_select, accepted_select;
    uint8_t status, interrupt_status, generation;
    uint16_t config_vector, queue_select;
    unsigned queue_count;
    struct virtqueue queues[VIRTIO_QUEUES];
    struct virtio_kick kicks[VIRTIO_QUEUES];
    uint8_t config[VIRTIO_CONFIG_SIZE], config_writable[VIRTIO_CONFIG_SIZE], config_initial[VIRTIO_CONFIG_SIZE];
    unsigned config_size;
    unsigned window_capability, msix_capability; /* offsets in configuration space */
    struct pci_function function;
    struct msix msix;
    unsigned counter_count;
    struct virtio_counter counters[VIRTIO_COUNTERS];
    counter notifications, interrupts, resets, broken;
};

/* What every device needs from the machine. */
struct virtio_host {
    struct pci_bus *pci;
    const struct guest_memory *memory;
    struct gate *gate;
    struct loop *loop;
    struct virtio_hooks hooks;
};

/* Fill in ``kind``, ``id``, ``offered``, ``queue_count``, ``queues[].max_size``, ``config`` and ``config_size`` of a
 * zeroed device first; VERSION_1, INDIRECT_DESC and EVENT_IDX are added here. 0 or a negative errno. */
int virtio_attach(struct virtio_device *device, const struct virtio_host *host);
/* Close the device, after its threads and the loop have ended. */
void virtio_detach(struct virtio_device *device);
/* As after power-on; no thread of the guest's may run. */
void virtio_power_on(struct virtio_device *device);

/* With the lock held: */
bool virtio_running(const struct virtio_device *device);
bool virtio_has(const struct virtio_device *device, unsigned feature);
/* Take a chain; a broken queue makes the whole device ask for a reset. */
bool virtio_pop(struct virtio_device *device, unsigned queue, struct chain *chain);
/* Interrupt the guest for what was pushed, if it wants to know. */
void virtio_tell(struct virtio_device *device, unsigned queue);
/* Interrupt the guest for a queue whatever it wants. */
void virtio_interrupt(struct virtio_device *device, unsigned queue);
/* ``config`` has changed by the device's own doing. */
void virtio_config_changed(struct virtio_device *device);

/* The driver has done what it must not: tell it that only a reset helps. */
void virtio_fail(struct virtio_device *device);
/* Status 0: waits until nothing is in flight. */
void virtio_reset(struct virtio_device *device);
/* Without the lock: let the loop look at the queue. */
void virtio_kick(struct virtio_device *device, unsigned queue);
/* Whether notifications of the queue shall come to ``virtio_notified`` instead of its kick_fd. */
bool virtio_served_by_vcpu(const struct virtio_device *device, unsigned queue);
/* A write to where the queue is notified, in the vCPU's thread and without the lock. */
void virtio_notified(struct virtio_device *device, unsigned queue);

/* pci_transport.c */
bool transport_init(struct virtio_device *device);
