/* What Python may ask of a machine and feed into it at any time: state, memory, input, events, counters. */
#include <errno.h>
#include <time.h>

#include "machine.h"

int nl_machine_eventfd(struct nl_machine *machine) {
    return machine->events.fd;
}

int nl_machine_state(struct nl_machine *machine) {
    return atomic_load(&machine->state);
}

int nl_machine_read_memory(struct nl_machine *machine, uint64_t address, void *data, size_t size) {
    return memory_read(&machine->memory, address, data, size) ? 0 : -EFAULT;
}

int nl_machine_write_memory(struct nl_machine *machine, uint64_t address, const void *data, size_t size) {
    return memory_write(&machine->memory, address, data, size) ? 0 : -EFAULT;
}

uint32_t nl_machine_apic_id(struct nl_machine *machine, uint32_t index) {
    return topology_apic_id(&machine->topology, index);
}

void nl_machine_watch_console(struct nl_machine *machine) {
    atomic_store(&machine->devices.console.panic_watch.found, false);
}

size_t nl_machine_serial_input(struct nl_machine *machine, const void *data, size_t size) {
    return serial_input(&machine->devices.serial, data, size);
}

int nl_machine_next_event(struct nl_machine *machine, struct nl_event *event) {
    return events_pop(&machine->events, event);
}

void nl_machine_counters(struct nl_machine *machine, struct nl_counters *counters) {
    devices_counters(&machine->devices, counters);
    counters->events_dropped = counted(&machine->events.dropped);
    counters->ends_swallowed = counted(&machine->ends_swallowed);
    counters->msrs_refused = counted(&machine->msrs_refused);
    counters->cpuid_refused = counted(&machine->cpuid_refused);
    counters->last_msr_refused = counted(&machine->last_msr_refused);
    counters->last_cpuid_refused = counted(&machine->last_cpuid_refused);
    counters->watchdog_pings = counted(&machine->watchdog.pings);
    counters->watchdog_expirations = counted(&machine->watchdog.expirations);
    counters->boots = counted(&machine->boots);
}

int nl_machine_vcpu_counters(struct nl_machine *machine, uint32_t index, struct nl_vcpu_counters *counters) {
    if (index >= machine->vcpu_count)
        return -EINVAL;
    struct vcpu *vcpu = &machine->vcpus[index];
    counters->exits = counted(&vcpu->exits);
    counters->io = counted(&vcpu->io);
    counters->mmio = counted(&vcpu->mmio);
    counters->interrupted = counted(&vcpu->interrupted);
    counters->parks = counted(&vcpu->parks);
    counters->cpu_ns = 0;
    clockid_t clock;
    struct timespec used;
    if (machine->threads_started && pthread_getcpuclockid(vcpu->thread, &clock) == 0 &&
        clock_gettime(clock, &used) == 0)
        counters->cpu_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return 0;
}
