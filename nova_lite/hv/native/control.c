/* The machine's life: create, start, pause, resume, stop, reset, end, destroy. Called by one thread but for the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "virtio/rate_limiter.h"

#define HOLD_TIMEOUT_MS 30000

int fail(struct nl_error *error, int code, const char *step) {
    if (error != NULL) {
        error->code = code;
        snprintf(error->step, sizeof(error->step), "%s", step);
    }
    return -code;
}

/* With the lock held. */
static void ask(struct nl_machine *machine, enum request request) {
    atomic_store(&machine->request, request);
    pthread_cond_broadcast(&machine->changed);
    if (request != REQUEST_RUN)
        vcpus_kick(machine);
}

static enum nl_state state_after(uint32_t kind) {
    switch (kind) {
    case NL_EVENT_SHUTDOWN:
        return NL_SHUTDOWN;
    case NL_EVENT_RESET:
    case NL_EVENT_WATCHDOG:
        return NL_RESET;
    default:
        return NL_CRASHED;
    }
}

void machine_end(struct nl_machine *machine, const struct nl_event *event) {
    pthread_mutex_lock(&machine->lock);
    int request = atomic_load(&machine->request);
    if (request == REQUEST_RUN || request == REQUEST_PAUSE) {
        atomic_store(&machine->state, state_after(event->kind));
        ask(machine, REQUEST_END);
        events_push(&machine->events, event);
    } else {
        count_shared(&machine->ends_swallowed, 1);
    }
    pthread_mutex_unlock(&machine->lock);
}

void machine_report(struct nl_machine *machine, const struct nl_event *event) {
    pthread_mutex_lock(&machine->lock);
    int request = atomic_load(&machine->request);
    if (request == REQUEST_RUN || request == REQUEST_PAUSE)
        events_push(&machine->events, event);
    pthread_mutex_unlock(&machine->lock);
}

static int add_watchdog(struct nl_machine *machine) {
    struct pio_device ports = watchdog_ports;
    int result = watchdog_init(&machine->watchdog, &machine->virtio.loop,
                               (struct end_hook){machine_end_by_device, machine});
    ports.device = &machine->watchdog;
    machine->virtio.loop_wanted = true;
    return result < 0 || bus_add_pio(&machine->devices.bus, &ports) ? result : -ENOSPC;
}

static int set_up(struct nl_machine *machine, const struct nl_config *config, struct nl_error *error) {
    machine->kvm_fd = fcntl(config->kvm_fd, F_DUPFD_CLOEXEC, 0);
    if (machine->kvm_fd < 0)
        return fail(error, errno, "keep /dev/kvm");
    int result = vcpu_prepare_signals();
    if (result < 0)
        return fail(error, -result, "take a signal for kicks");
    machine->vcpus = aligned_alloc(_Alignof(struct vcpu), config->vcpus * sizeof(struct vcpu));
    if (machine->vcpus == NULL)
        return fail(error, ENOMEM, "make room for the vCPUs");
    memset(machine->vcpus, 0, config->vcpus * sizeof(struct vcpu));
    machine->vcpu_count = config->vcpus;
    for (uint32_t i = 0; i < config->vcpus; i++) {
        machine->vcpus[i].machine = machine;
        machine->vcpus[i].index = i;
        machine->vcpus[i].fd = -1;
    }
    machine->memory_config = config->memory;
    machine->max_phys_bits = config->max_phys_bits;
    machine->topology = config->topology;
    if (config->topology.threads_per_core == 0)
        machine->topology = (struct nl_cpu_topology){1, config->vcpus, 1, 1};
    if (config->debug_console_port >= 0 &&
        (result = devices_add_debug_console(&machine->devices, (uint16_t)config->debug_console_port,
                                            config->debug_console_fd)) < 0)
        return fail(error, -result, "put the debug console at its port");
    if (config->watchdog && (result = add_watchdog(machine)) < 0)
        return fail(error, -result, "make the watchdog");
    result = guest_ram_create(machine, error);
    return result < 0 ? result : kvm_build(machine, error);
}

static void release(struct nl_machine *machine) {
    kvm_tear_down(machine);
    guest_ram_destroy(machine);
    kvm_virtio_close(machine);
    watchdog_close(&machine->watchdog);
    virtio_set_close(&machine->virtio);
    rate_limit_groups_close(machine->rate_limit_groups);
    devices_close(&machine->devices);
    events_close(&machine->events);
    if (machine->kvm_fd >= 0)
        close(machine->kvm_fd);
    pthread_cond_destroy(&machine->changed);
    pthread_cond_destroy(&machine->parked);
    pthread_mutex_destroy(&machine->lock);
    free(machine->vcpus);
    free(machine);
}

struct nl_machine *nl_machine_create(const struct nl_config *config, struct nl_error *error) {
    struct nl_machine *machine = calloc(1, sizeof(*machine));
    pthread_condattr_t monotonic;
    if (machine == NULL) {
        fail(error, ENOMEM, "make room for the machine");
        return NULL;
    }
    machine->kvm_fd = machine->vm_fd = -1;
    int result = events_init(&machine->events);
    if (result < 0) {
        fail(error, -result, "make the eventfd");
        free(machine);
        return NULL;
    }
    result = devices_init(&machine->devices, config->console_log_fd, config->serial_out_fd,
                          config->output_eventfd, (struct irq_line){kvm_set_irq, machine},
                          (struct end_hook){machine_end_by_device, machine});
    if (result < 0) {
        fail(error, -result, "open the console");
        events_close(&machine->events);
        free(machine);
        return NULL;
    }
    machine->devices.console.opaque = machine;
    machine->devices.console.on_panic = machine_panic_on_console;
    if (config->pvpanic && (result = devices_add_pvpanic(&machine->devices)) < 0) {
        fail(error, -result, "find room for the pvpanic device");
        devices_close(&machine->devices);
        events_close(&machine->events);
        free(machine);
        return NULL;
    }
    result = virtio_set_init(&machine->virtio, &machine->devices.bus, &machine->memory, kvm_virtio_hooks(machine));
    if (result < 0) {
        fail(error, -result, "make the PCI bus");
        devices_close(&machine->devices);
        events_close(&machine->events);
        free(machine);
        return NULL;
    }
    machine->virtio.pci.end = (struct end_hook){machine_end_by_device, machine};
    machine->virtio.pci.on_eject = hotplug_ejected;
    machine->virtio.pci.opaque = machine;
    pthread_mutex_init(&machine->kvm_virtio.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&machine->lock, NULL);
    pthread_cond_init(&machine->parked, &monotonic);
    pthread_cond_init(&machine->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (set_up(machine, config, error) < 0) {
        release(machine);
        return NULL;
    }
    return machine;
}

void nl_machine_destroy(struct nl_machine *machine) {
    nl_machine_stop(machine, NULL);
    release(machine);
}

static int start(struct nl_machine *machine, bool paused, struct nl_error *error) {
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    if (!machine->mode_set)
        return fail(error, EINVAL, "start without an entry point");
    int result = virtio_set_start(&machine->virtio);
    if (result < 0)
        return fail(error, -result, "start the devices' threads");
    pthread_mutex_lock(&machine->lock);
    /* The threads find the pause and park: none runs the guest before all of them exist. */
    atomic_store(&machine->request, REQUEST_PAUSE);
    result = vcpus_start(machine, error);
    if (result == 0) {
        count_shared(&machine->boots, 1);
        atomic_store(&machine->state, paused ? NL_PAUSED : NL_RUNNING);
        if (!paused)
            ask(machine, REQUEST_RUN);
    } else {
        atomic_store(&machine->state, NL_STOPPED);
    }
    pthread_mutex_unlock(&machine->lock);
    return result;
}

int nl_machine_start(struct nl_machine *machine, struct nl_error *error) {
    return start(machine, false, error);
}

/* With the lock held: wait until every vCPU is out of the guest. */
static int await_parked(struct nl_machine *machine, uint32_t timeout_ms) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    for (uint32_t i = 0; i < machine->vcpu_count; i++)
        while (!machine->vcpus[i].parked)
            if (pthread_cond_timedwait(&machine->parked, &machine->lock, &deadline) == ETIMEDOUT &&
                !machine->vcpus[i].parked)
                return -ETIMEDOUT;
    return 0;
}

/* With the lock held: until every thread has taken note, so that the next pause is acknowledged anew by each. */
static void run_again(struct nl_machine *machine) {
    ask(machine, REQUEST_RUN);
    for (uint32_t i = 0; i < machine->vcpu_count; i++)
        while (machine->vcpus[i].parked && atomic_load(&machine->request) == REQUEST_RUN)
            pthread_cond_wait(&machine->parked, &machine->lock);
}

static bool ended(int state) {
    return state == NL_SHUTDOWN || state == NL_RESET || state == NL_CRASHED;
}

int nl_machine_pause(struct nl_machine *machine, uint32_t timeout_ms, struct nl_error *error) {
    pthread_mutex_lock(&machine->lock);
    int state = atomic_load(&machine->state);
    int result = -EBUSY;
    if (state == NL_RUNNING) {
        atomic_store(&machine->state, NL_PAUSED);
        ask(machine, REQUEST_PAUSE);
    }
    if (state == NL_RUNNING || state == NL_PAUSED || ended(state))
        result = await_parked(machine, timeout_ms);
    pthread_mutex_unlock(&machine->lock);
    if (result == 0) /* the devices after the vCPUs: what these began is done or waits for the resume */
        virtio_set_pause(&machine->virtio);
    if (result == 0)
        watchdog_pause(&machine->watchdog);
    return result == -ETIMEDOUT ? fail(error, ETIMEDOUT, "wait for the vCPUs to stop") : result;
}

int nl_machine_start_paused(struct nl_machine *machine, struct nl_error *error) {
    virtio_set_pause(&machine->virtio); /* before its threads are there: none of them gets to work */
    int result = start(machine, true, error);
    return result < 0 ? result : nl_machine_pause(machine, HOLD_TIMEOUT_MS, error);
}

int nl_machine_resume(struct nl_machine *machine, struct nl_error *error) {
    int result = virtio_set_resume(&machine->virtio);
    if (result < 0)
        return fail(error, -result, "start the devices' threads");
    pthread_mutex_lock(&machine->lock);
    int state = atomic_load(&machine->state);
    if (state == NL_PAUSED) {
        watchdog_resume(&machine->watchdog);
        atomic_store(&machine->state, NL_RUNNING);
        run_again(machine);
    }
    pthread_mutex_unlock(&machine->lock);
    return state == NL_PAUSED || state == NL_RUNNING || ended(state) ? 0 : -EBUSY;
}

int machine_hold(struct nl_machine *machine, struct nl_error *error) {
    int result = 0;
    pthread_mutex_lock(&machine->lock);
    int state = atomic_load(&machine->state);
    if (state == NL_RUNNING)
        ask(machine, REQUEST_PAUSE);
    if (state == NL_RUNNING || state == NL_PAUSED || ended(state))
        result = await_parked(machine, HOLD_TIMEOUT_MS);
    if (result < 0 && atomic_load(&machine->state) == NL_RUNNING)
        ask(machine, REQUEST_RUN);
    pthread_mutex_unlock(&machine->lock);
    return result < 0 ? fail(error, -result, "wait for the vCPUs to stop") : 0;
}

void machine_let_go(struct nl_machine *machine) {
    pthread_mutex_lock(&machine->lock);
    /* The guest may have ended as it was stopped: then it stays so. */
    if (atomic_load(&machine->state) == NL_RUNNING && atomic_load(&machine->request) == REQUEST_PAUSE)
        run_again(machine);
    pthread_mutex_unlock(&machine->lock);
}

int nl_machine_stop(struct nl_machine *machine, struct nl_error *error) {
    (void)error;
    pthread_mutex_lock(&machine->lock);
    ask(machine, REQUEST_STOP);
    pthread_mutex_unlock(&machine->lock);
    if (machine->threads_started)
        vcpus_join(machine);
    virtio_set_stop(&machine->virtio);
    atomic_store(&machine->state, NL_STOPPED);
    return 0;
}

int nl_machine_reset(struct nl_machine *machine, struct nl_error *error) {
    nl_machine_stop(machine, error);
    /* A new VM is the only state that is sure to be fresh: whatever KVM kept of the old one goes with it. */
    kvm_tear_down(machine);
    devices_reset(&machine->devices);
    watchdog_reset(&machine->watchdog);
    virtio_set_reset(&machine->virtio);
    events_clear(&machine->events);
    machine->mode_set = false;
    int result = guest_ram_empty(machine, error);
    if (result == 0)
        result = kvm_build(machine, error);
    if (result == 0)
        atomic_store(&machine->state, NL_CREATED);
    return result;
}

int nl_machine_set_real_mode(struct nl_machine *machine, uint64_t address, struct nl_error *error) {
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    int result = cpu_set_real_mode(machine, address, error);
    machine->mode_set = result == 0;
    return result;
}

int nl_machine_set_long_mode(struct nl_machine *machine, uint64_t entry, uint64_t rsi, uint64_t stack,
                             struct nl_error *error) {
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    int result = cpu_set_long_mode(machine, entry, rsi, stack, error);
    machine->mode_set = result == 0;
    return result;
}

int nl_machine_set_pvh(struct nl_machine *machine, uint64_t entry, uint64_t start_info, struct nl_error *error) {
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    int result = cpu_set_pvh(machine, entry, start_info, error);
    machine->mode_set = result == 0;
    return result;
}

static bool is_on(struct nl_machine *machine) {
    int state = atomic_load(&machine->state);
    return state == NL_RUNNING || state == NL_PAUSED;
}

int nl_machine_press_power_button(struct nl_machine *machine, struct nl_error *error) {
    return is_on(machine) ? kvm_pulse_power_button(machine, error) : -EBUSY;
}

int nl_machine_nmi(struct nl_machine *machine, struct nl_error *error) {
    return is_on(machine) ? kvm_nmi(machine, error) : -EBUSY;
}
