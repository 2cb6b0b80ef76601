/* What Python sees of the native layer: build.py hands this file to cffi, the C files include it as well. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NL_EVENT_BYTES 96

/* Why a call failed: errno and the step that failed, for a message that a human can use. */
struct nl_error {
    int code;
    char step[60];
};

/* How many of each there are in the next larger one. */
struct nl_cpu_topology {
    uint32_t threads_per_core, cores_per_die, dies_per_package, packages;
};

struct nl_memory_config {
    uint64_t size;          /* bytes, a multiple of 4096 */
    uint64_t hugepage_size; /* of reserved huge pages, of which ``size`` is a multiple; 0: ordinary memory */
    uint8_t shared;         /* mapped so that others could see it */
    uint8_t prefault;       /* there before the guest runs */
    uint8_t reserve;        /* counted against the host's limits at once */
    uint8_t thp;            /* transparent huge pages for a guest that is not small */
    uint8_t mergeable;      /* the host may merge equal pages */
};

struct nl_config {
    struct nl_memory_config memory;
    uint32_t vcpus;
    struct nl_cpu_topology topology; /* not less than ``vcpus`` in all; all 0: as many cores of one thread */
    uint32_t max_phys_bits; /* of an address; 0: the host's */
    int32_t debug_console_port;     /* -1: there is none */
    int32_t debug_console_fd;       /* takes its output, or -1 */
    int32_t kvm_fd;         /* an open /dev/kvm; the machine keeps its own duplicate */
    int32_t console_log_fd; /* a ring file as nova_lite/hv/console_log.py makes it, or -1 */
    int32_t serial_out_fd;  /* gets a copy of the console output, or -1 */
    int32_t output_eventfd; /* signalled at the first output after a reader of the ring has begun to wait, or -1 */
    int32_t pvpanic;        /* whether the guest may report a panic on port 0x505 */
    int32_t watchdog;       /* whether there is one, on port 0x620 */
};

enum nl_state {
    NL_CREATED = 0,
    NL_RUNNING = 1,
    NL_PAUSED = 2,
    NL_SHUTDOWN = 3, /* the guest switched itself off */
    NL_RESET = 4,    /* the guest asked for a reset */
    NL_CRASHED = 5,
    NL_STOPPED = 6,
};

enum nl_event_kind {
    NL_EVENT_SHUTDOWN = 1,
    NL_EVENT_RESET = 2,
    NL_EVENT_TRIPLE_FAULT = 3,
    NL_EVENT_INTERNAL_ERROR = 4, /* code: KVM's suberror */
    NL_EVENT_FAIL_ENTRY = 5,     /* code: the hardware's reason */
    NL_EVENT_UNEXPECTED_EXIT = 6, /* code: KVM's exit reason */
    NL_EVENT_HOST_ERROR = 7,     /* code: errno of KVM_RUN */
    NL_EVENT_GUEST_PANIC = 8,
    NL_EVENT_WATCHDOG = 9, /* nobody pinged it in time: a reset */
    NL_EVENT_CONSOLE_PANIC = 10, /* the console says so; bytes: why, in the kernel's words */
    NL_EVENT_EJECT = 11, /* the guest has let go of a device: nl_machine_ejected */
};

struct nl_event {
    uint32_t kind;
    uint32_t vcpu;
    uint64_t rip;
    uint64_t code;
    uint32_t size; /* how many of the bytes count */
    uint8_t bytes[NL_EVENT_BYTES]; /* the instruction bytes at rip, as far as they could be read; text */
};

struct nl_vcpu_counters {
    uint64_t exits;
    uint64_t io;
    uint64_t mmio;
    uint64_t interrupted; /* KVM_RUN ended by a kick */
    uint64_t parks;       /* times the thread acknowledged a pause, an end or a stop */
    uint64_t cpu_ns;      /* CPU time of the thread; 0 when it does not run */
};

struct nl_counters {
    uint64_t console_bytes;
    uint64_t first_output_ns; /* CLOCK_MONOTONIC of the present boot's first console output, 0 for none yet */
    uint64_t copy_dropped;    /* bytes that serial_out_fd did not take */
    uint64_t serial_bytes_out;
    uint64_t serial_bytes_in;
    uint64_t serial_overruns;
    uint64_t port_console_lines;
    uint64_t debug_port_writes;
    uint64_t debug_port_last;
    uint64_t debug_port_first_ns;
    uint64_t debug_console_bytes;
    uint64_t debug_console_dropped;
    uint64_t watchdog_pings;
    uint64_t watchdog_expirations;
    uint64_t unclaimed_pio_reads;
    uint64_t unclaimed_pio_writes;
    uint64_t unclaimed_mmio_reads;
    uint64_t unclaimed_mmio_writes;
    uint64_t events_dropped;
    uint64_t ends_swallowed; /* resets and power-offs after the first */
    uint64_t msrs_refused;
    uint64_t cpuid_refused;
    uint64_t last_msr_refused; /* which it was */
    uint64_t last_cpuid_refused;
    uint64_t boots;
};

/* How many bytes one block of lz4 gave, or -1 when it is broken or does not fit. */
int64_t nl_lz4_block(const void *packed, size_t packed_size, void *unpacked, size_t room);

/* ``size`` tokens come back in ``refill_ms``; size 0: no limit. */
struct nl_token_bucket {
    uint64_t size; /* below 2^62 */
    uint64_t one_time_burst;
    uint64_t refill_ms; /* below 2^40 */
};

struct nl_rate_limiter {
    struct nl_token_bucket bandwidth; /* bytes */
    struct nl_token_bucket ops;
};

/* Where the parts of an overlay lie in its file, bytes; nova_lite/disks/overlay_format.py. */
struct nl_overlay_config {
    uint64_t size; /* of the disk */
    uint64_t bitmap_offset, data_offset;
};

/* In the configurations of devices, descriptors stay the caller's: the device keeps duplicates. */
struct nl_disk_config {
    int32_t fd; /* a regular file or a block device, opened as it shall be used */
    int32_t base_fd;                  /* what an overlay lies over, or -1 */
    struct nl_overlay_config overlay; /* size 0: the disk is raw */
    uint32_t queues;
    uint32_t queue_size; /* a power of two */
    uint8_t read_only;
    uint8_t discard; /* give back what the guest discards */
    uint8_t disable_io_uring;
    char serial[21];
    char rate_limit_group[32]; /* the name of one of the machine's, in place of ``limiter``; empty: none */
    struct nl_rate_limiter limiter;
};

#define NL_NET_PAIRS 8

struct nl_net_config {
    uint32_t pairs; /* of queues, each with a descriptor of the same tap: more than one needs IFF_MULTI_QUEUE */
    int32_t tap_fds[NL_NET_PAIRS]; /* nonblocking, IFF_VNET_HDR with headers of 12 bytes */
    uint32_t queue_size;
    uint8_t mac[6];
    uint16_t mtu; /* 0: not told to the guest */
    uint8_t offload_tso;
    uint8_t offload_csum;
    struct nl_rate_limiter limiter; /* each direction has buckets of its own */
};

struct nl_vsock_config {
    uint64_t cid;
    int32_t listen_fd; /* a listening UNIX socket */
    char path[100];    /* its path: where the guest connects to port N, <path>_<N> is tried */
};

struct nl_balloon_config {
    uint64_t size; /* bytes that the guest is asked to give up from the start */
    uint8_t deflate_on_oom;
    uint8_t free_page_reporting;
};

#define NL_DEVICE_VALUES 18

/* What one virtio device counted: ``count`` names and values. */
struct nl_device_counters {
    char id[32];
    uint32_t number; /* on the PCI bus */
    uint32_t count;
    char names[NL_DEVICE_VALUES][24];
    uint64_t values[NL_DEVICE_VALUES];
};

struct nl_segment_register {
    uint64_t base;
    uint32_t limit;
    uint32_t selector;
    uint32_t attributes; /* as in the upper half of a descriptor */
};

struct nl_registers {
    uint64_t general[18];                    /* rax rbx rcx rdx rsi rdi rsp rbp r8..r15 rip rflags */
    struct nl_segment_register segments[10]; /* cs ds es fs gs ss ldt tr gdt idt */
    uint64_t control[5];                     /* cr0..cr4; cr1 is 0 */
    uint64_t kernel_gs_base;
    uint32_t halted; /* waits for an interrupt */
};

struct nl_machine;

struct nl_machine *nl_machine_create(const struct nl_config *config, struct nl_error *error);
void nl_machine_destroy(struct nl_machine *machine);
int nl_machine_eventfd(struct nl_machine *machine);
int nl_machine_state(struct nl_machine *machine);
int nl_machine_read_memory(struct nl_machine *machine, uint64_t address, void *data, size_t size);
int nl_machine_write_memory(struct nl_machine *machine, uint64_t address, const void *data, size_t size);
int nl_machine_set_real_mode(struct nl_machine *machine, uint64_t address, struct nl_error *error);
int nl_machine_set_long_mode(struct nl_machine *machine, uint64_t entry, uint64_t rsi, uint64_t stack,
                             struct nl_error *error);
/* 32-bit protected mode without paging, as Xen's PVH boot protocol has it. */
int nl_machine_set_pvh(struct nl_machine *machine, uint64_t entry, uint64_t start_info, struct nl_error *error);
int nl_machine_start(struct nl_machine *machine, struct nl_error *error);
/* As start, but paused from the first instruction on: ``resume`` lets it run. */
int nl_machine_start_paused(struct nl_machine *machine, struct nl_error *error);
/* All but memory, of a paused machine; ``data`` is to be given to nl_saved_free. */
int nl_machine_save(struct nl_machine *machine, uint8_t **data, size_t *size, struct nl_error *error);
void nl_saved_free(uint8_t *data);
/* Into a machine that was created alike, its devices in the same slots, and its memory loaded; in place of an entry. */
int nl_machine_restore(struct nl_machine *machine, const uint8_t *data, size_t size, struct nl_error *error);
/* The way back of dump_memory, into a machine that was not started: what is a hole in the file stays empty. */
int nl_machine_load_memory(struct nl_machine *machine, int32_t fd, uint64_t offset, struct nl_error *error);
/* The slot of the next device that is added; 0: the lowest free one again. */
void nl_machine_next_slot(struct nl_machine *machine, uint32_t slot);
int nl_machine_pause(struct nl_machine *machine, uint32_t timeout_ms, struct nl_error *error);
int nl_machine_resume(struct nl_machine *machine, struct nl_error *error);
int nl_machine_stop(struct nl_machine *machine, struct nl_error *error);
int nl_machine_reset(struct nl_machine *machine, struct nl_error *error);
/* Both may come while the guest runs or is paused; in other states -EBUSY. */
int nl_machine_press_power_button(struct nl_machine *machine, struct nl_error *error);
int nl_machine_nmi(struct nl_machine *machine, struct nl_error *error);
/* Of a paused or stopped machine; else -EBUSY. */
int nl_machine_registers(struct nl_machine *machine, uint32_t index, struct nl_registers *registers,
                         struct nl_error *error);
/* Report the next panic that the console tells of, too. */
void nl_machine_watch_console(struct nl_machine *machine);
/* Guest RAM into a file from ``offset`` on, one area after the other; zeroes are left out. Of a machine at rest. */
int nl_machine_dump_memory(struct nl_machine *machine, int32_t fd, uint64_t offset, struct nl_error *error);
size_t nl_machine_serial_input(struct nl_machine *machine, const void *data, size_t size);
int nl_machine_next_event(struct nl_machine *machine, struct nl_event *event);
void nl_machine_counters(struct nl_machine *machine, struct nl_counters *counters);
/* Each gives the device's slot on the PCI bus. While the machine is on the guest is told; in other states -EBUSY. */
int nl_machine_add_rng(struct nl_machine *machine, const char *id, int32_t fd, struct nl_error *error);
int nl_machine_add_disk(struct nl_machine *machine, const char *id, const struct nl_disk_config *config,
                        struct nl_error *error);
int nl_machine_add_net(struct nl_machine *machine, const char *id, const struct nl_net_config *config,
                       struct nl_error *error);
int nl_machine_add_vsock(struct nl_machine *machine, const char *id, const struct nl_vsock_config *config,
                         struct nl_error *error);
int nl_machine_add_balloon(struct nl_machine *machine, const char *id, const struct nl_balloon_config *config,
                           struct nl_error *error);
/* ``out_fd``: nonblocking, takes the output; or -1. A machine has one console at most. */
/* Limits that disks share; before these are added. */
int nl_machine_add_rate_limit_group(struct nl_machine *machine, const char *id, const struct nl_rate_limiter *config,
                                    struct nl_error *error);
/* Ask the guest for another size of its balloon; -ENODEV: it has none. */
int nl_machine_resize_balloon(struct nl_machine *machine, uint64_t size, struct nl_error *error);
/* Bytes that the guest says it has given up; never more than its memory. */
uint64_t nl_machine_balloon_actual(struct nl_machine *machine);
uint32_t nl_machine_apic_id(struct nl_machine *machine, uint32_t index);
int nl_machine_add_console(struct nl_machine *machine, const char *id, int32_t out_fd, struct nl_error *error);
/* How many bytes were taken; 0 as well when there is no console. */
size_t nl_machine_console_input(struct nl_machine *machine, const void *data, size_t size);
void nl_machine_console_resize(struct nl_machine *machine, uint16_t columns, uint16_t rows);
/* Ask the guest, which is on, to let go of a device; it does as it likes. May be repeated. */
int nl_machine_request_removal(struct nl_machine *machine, uint32_t number, struct nl_error *error);
/* The slots whose devices the guest has let go of; a bit for each. */
uint32_t nl_machine_ejected(struct nl_machine *machine);
/* Take a device away, whatever its driver is doing with it. Of a paused machine: -EBUSY. */
int nl_machine_remove(struct nl_machine *machine, uint32_t number, struct nl_error *error);
/* Take note, or no more, of what is written to the disk in a slot: for who copies it meanwhile. */
int nl_machine_log_disk(struct nl_machine *machine, uint32_t number, int32_t on, struct nl_error *error);
/* What was written since it was asked last, a bit for each part of the disk: up to ``room`` words. How many there are. */
int64_t nl_machine_take_disk_log(struct nl_machine *machine, uint32_t number, uint64_t *words, uint64_t room,
                                 struct nl_error *error);
int nl_machine_device_counters(struct nl_machine *machine, uint32_t index, struct nl_device_counters *counters);
int nl_machine_vcpu_counters(struct nl_machine *machine, uint32_t index, struct nl_vcpu_counters *counters);
