/* The machine's inside, shared by the files that speak to KVM. */
#pragma once
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "devices.h"
#include "events.h"
#include "interface.h"
#include "memory.h"
#include "topology.h"
#include "virtio/set.h"
#include "watchdog.h"

/* What the vCPU threads are asked to do. They read it before every entry into the guest. */
enum request {
    REQUEST_RUN,
    REQUEST_PAUSE,
    REQUEST_END, /* the guest has ended: stay out of it until the machine is stopped */
    REQUEST_STOP,
};

/* The short ways between KVM and the virtio devices, kvm_virtio.c. */
struct kvm_virtio {
    pthread_mutex_t lock;
    struct device_glue *devices[PCI_DEVICES]; /* by slot */
};

struct vcpu {
    struct nl_machine *machine;
    uint32_t index;
    int fd;
    struct kvm_run *run;
    pthread_t thread;
    bool parked; /* under machine->lock: the thread is out of the guest and waits for a new request */
    counter exits, io, mmio, interrupted, parks;
} __attribute__((aligned(64)));

struct nl_machine {
    _Atomic int request; /* enum request */
    pthread_mutex_t lock;
    pthread_cond_t parked;  /* some vCPU parked, or no longer */
    pthread_cond_t changed; /* the request changed */
    _Atomic int state;      /* enum nl_state */
    bool threads_started;
    bool mode_set;

    int kvm_fd;
    int vm_fd; /* -1: not built */
    struct nl_memory_config memory_config;
    struct guest_memory memory;
    struct nl_cpu_topology topology;
    uint32_t max_phys_bits;
    size_t run_size;
    uint32_t vcpu_count;
    struct vcpu *vcpus;

    struct devices devices;
    struct virtio_set virtio;
    struct virtio_device *console, *balloon; /* one of them each, the first, or NULL */
    struct rate_limit_group *rate_limit_groups;
    struct watchdog watchdog;
    struct kvm_virtio kvm_virtio;
    struct events events;
    counter ends_swallowed, msrs_refused, cpuid_refused, last_msr_refused, last_cpuid_refused, boots;
};

/* Fills in ``error`` (may be NULL) and returns the negative errno. */
int fail(struct nl_error *error, int code, const char *step);

/* guest_ram.c */
int guest_ram_create(struct nl_machine *machine, struct nl_error *error);
int guest_ram_empty(struct nl_machine *machine, struct nl_error *error);
void guest_ram_destroy(struct nl_machine *machine);

/* kvm.c */
int kvm_build(struct nl_machine *machine, struct nl_error *error);
void kvm_tear_down(struct nl_machine *machine);
void kvm_set_irq(void *machine, int level); /* COM1's wire */
/* One interrupt of the event device, ACPI's, for either reason. */
int kvm_pulse_power_button(struct nl_machine *machine, struct nl_error *error);
int kvm_pulse_hotplug(struct nl_machine *machine, struct nl_error *error);
int kvm_nmi(struct nl_machine *machine, struct nl_error *error); /* to every vCPU */

/* cpuid.c */
struct cpu_wishes {
    struct nl_cpu_topology topology;
    uint32_t max_phys_bits; /* 0: the host's */
    bool tsc_deadline;
};
#define CPUID_TOPOLOGY_ENTRIES 5
/* The host's table made that of vCPU ``index``; it has room for CPUID_TOPOLOGY_ENTRIES more. */
void cpu_adapt_cpuid(struct kvm_cpuid2 *table, const struct cpu_wishes *wishes, uint32_t index);
int cpu_set_cpuid(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error);

/* kvm_virtio.c */
struct virtio_hooks kvm_virtio_hooks(struct nl_machine *machine);
void kvm_virtio_forget(struct nl_machine *machine); /* the VM is gone, and what it knew */
void kvm_virtio_close(struct nl_machine *machine);  /* before the devices */

/* cpu_state.c */
int cpu_set_identity(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error);
int cpu_set_real_mode(struct nl_machine *machine, uint64_t address, struct nl_error *error);
int cpu_set_long_mode(struct nl_machine *machine, uint64_t entry, uint64_t rsi, uint64_t stack,
                      struct nl_error *error);
int cpu_set_pvh(struct nl_machine *machine, uint64_t entry, uint64_t start_info, struct nl_error *error);
/* rip and the instruction bytes there; what cannot be read is left out. Only while the vCPU does not run. */
void cpu_describe(struct vcpu *vcpu, struct nl_event *event);

/* cpu_snapshot.c: of a vCPU that does not run; into one that never ran. */
int cpu_save(struct nl_machine *machine, struct vcpu *vcpu, struct saved_state *state, struct nl_error *error);
int cpu_restore(struct nl_machine *machine, struct vcpu *vcpu, const struct saved_state *state, struct nl_error *error);

/* vcpu.c */
int vcpu_prepare_signals(void);
int vcpus_start(struct nl_machine *machine, struct nl_error *error);
void vcpus_join(struct nl_machine *machine);
/* Get every vCPU out of the guest; with machine->lock held, after the request was set. */
void vcpus_kick(struct nl_machine *machine);

/* control.c: no vCPU is in the guest between the two, whether it runs or is paused. Other states: nothing to do. */
int machine_hold(struct nl_machine *machine, struct nl_error *error);
void machine_let_go(struct nl_machine *machine);
/* The guest has ended; the first word counts, later ones are swallowed. */
void machine_end(struct nl_machine *machine, const struct nl_event *event);
/* Something happened that does not end the guest. */
void machine_report(struct nl_machine *machine, const struct nl_event *event);
void machine_end_by_device(void *machine, enum nl_event_kind kind);
void machine_panic_on_console(void *machine, const uint8_t *reason, uint32_t size);

/* hotplug.c: the guest has let go of a device. */
void hotplug_ejected(void *machine);
/* The device in a slot, or NULL. */
struct virtio_device *machine_device(struct nl_machine *machine, uint32_t number);
