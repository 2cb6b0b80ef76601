/* The vCPU threads: one flat loop each, and the kick that gets them out of the guest. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

#define STACK_SIZE (64 * 1024)
#define KICK_SIGNAL (SIGRTMIN + 6)

/* Which vCPU the calling thread is; devices do not know who accesses them. */
static __thread struct vcpu *current_vcpu;

/* The signal only has to interrupt KVM_RUN; immediate_exit covers the time outside of it. */
static void on_kick(int signal) {
    (void)signal;
}

int vcpu_prepare_signals(void) {
    struct sigaction action = {.sa_handler = on_kick};
    sigemptyset(&action.sa_mask);
    return sigaction(KICK_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

static void set_immediate_exit(struct vcpu *vcpu, uint8_t value) {
    __atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* No wake-up is lost: the request was stored before immediate_exit. A thread that has not seen the request yet either
 * is in KVM_RUN and gets the signal, or enters it and finds immediate_exit, which only it clears, and only before it
 * looks at the request again. */
void vcpus_kick(struct nl_machine *machine) {
    if (!machine->threads_started)
        return;
    for (uint32_t i = 0; i < machine->vcpu_count; i++) {
        struct vcpu *vcpu = &machine->vcpus[i];
        if (vcpu->parked || vcpu == current_vcpu)
            continue;
        set_immediate_exit(vcpu, 1);
        pthread_kill(vcpu->thread, KICK_SIGNAL);
    }
}

void machine_end_by_device(void *opaque, enum nl_event_kind kind) {
    struct nl_event event = {.kind = kind, .vcpu = current_vcpu == NULL ? 0 : current_vcpu->index};
    if (kind == NL_EVENT_GUEST_PANIC)
        machine_report(opaque, &event); /* its last words may not be on the console yet */
    else
        machine_end(opaque, &event);
}

void machine_panic_on_console(void *opaque, const uint8_t *reason, uint32_t size) {
    struct nl_event event = {.kind = NL_EVENT_CONSOLE_PANIC, .size = size};
    event.vcpu = current_vcpu == NULL ? 0 : current_vcpu->index; /* a device's thread may have written it */
    memcpy(event.bytes, reason, size);
    machine_report(opaque, &event);
}

static void crash(struct vcpu *vcpu, enum nl_event_kind kind, uint64_t code) {
    struct nl_event event = {.kind = kind, .vcpu = vcpu->index, .code = code};
    cpu_describe(vcpu, &event);
    machine_end(vcpu->machine, &event);
}

static void handle_internal_error(struct vcpu *vcpu) {
    const struct kvm_run *run = vcpu->run;
    struct nl_event event = {.kind = NL_EVENT_INTERNAL_ERROR, .vcpu = vcpu->index, .code = run->internal.suberror};
    cpu_describe(vcpu, &event);
    /* When the guest's own tables do not lead to the instruction, KVM may still have fetched it. */
    if (event.size == 0 && run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
        run->emulation_failure.ndata >= 3 &&
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) &&
        run->emulation_failure.insn_size <= sizeof(run->emulation_failure.insn_bytes)) {
        event.size = run->emulation_failure.insn_size;
        memcpy(event.bytes, run->emulation_failure.insn_bytes, event.size);
    }
    machine_end(vcpu->machine, &event);
}

static void handle_system_event(struct vcpu *vcpu) {
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        machine_end_by_device(vcpu->machine, NL_EVENT_SHUTDOWN);
        break;
    case KVM_SYSTEM_EVENT_RESET:
        machine_end_by_device(vcpu->machine, NL_EVENT_RESET);
        break;
    default:
        crash(vcpu, NL_EVENT_GUEST_PANIC, vcpu->run->system_event.type);
    }
}

static void handle_rare_exit(struct vcpu *vcpu) {
    const struct kvm_run *run = vcpu->run;
    switch (run->exit_reason) {
    case KVM_EXIT_INTR:
        break;
    case KVM_EXIT_SHUTDOWN:
        crash(vcpu, NL_EVENT_TRIPLE_FAULT, 0);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        handle_internal_error(vcpu);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        crash(vcpu, NL_EVENT_FAIL_ENTRY, run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        handle_system_event(vcpu);
        break;
    default:
        crash(vcpu, NL_EVENT_UNEXPECTED_EXIT, run->exit_reason);
    }
}

static void handle_exit(struct vcpu *vcpu) {
    struct kvm_run *run = vcpu->run;
    struct bus *bus = &vcpu->machine->devices.bus;
    count_own(&vcpu->exits);
    if (__builtin_expect(run->exit_reason == KVM_EXIT_IO, 1)) {
        count_own(&vcpu->io);
        bus_pio(bus, run->io.direction == KVM_EXIT_IO_OUT, run->io.port, run->io.size, run->io.count,
                (uint8_t *)run + run->io.data_offset);
    } else if (run->exit_reason == KVM_EXIT_MMIO) {
        count_own(&vcpu->mmio);
        bus_mmio(bus, run->mmio.is_write, run->mmio.phys_addr, run->mmio.len, run->mmio.data);
    } else {
        handle_rare_exit(vcpu);
    }
}

/* Wait for another request than the one seen; false when the thread shall end. */
static bool park(struct vcpu *vcpu) {
    struct nl_machine *machine = vcpu->machine;
    pthread_mutex_lock(&machine->lock);
    count_own(&vcpu->parks);
    vcpu->parked = true;
    pthread_cond_broadcast(&machine->parked);
    int request;
    while ((request = atomic_load(&machine->request)) == REQUEST_PAUSE || request == REQUEST_END)
        pthread_cond_wait(&machine->changed, &machine->lock);
    vcpu->parked = false;
    pthread_cond_broadcast(&machine->parked);
    pthread_mutex_unlock(&machine->lock);
    return request != REQUEST_STOP;
}

static void *vcpu_main(void *opaque) {
    struct vcpu *vcpu = opaque;
    struct nl_machine *machine = vcpu->machine;
    bool unfinished = false; /* the guest waits for the data of its last access: KVM takes it at the next entry */
    current_vcpu = vcpu;
    for (;;) {
        int request = atomic_load_explicit(&machine->request, memory_order_acquire);
        if (__builtin_expect(request != REQUEST_RUN, 0)) {
            if (request == REQUEST_PAUSE && unfinished) {
                set_immediate_exit(vcpu, 1); /* enter once more: finishes the access, runs nothing */
            } else {
                unfinished = false;
                if (!park(vcpu))
                    return NULL;
                /* On into the guest without another look: whoever asked for something else since has set
                 * immediate_exit, and so each pause is a kick of its own. */
            }
        }
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
            handle_exit(vcpu);
            unfinished = true;
        } else if (errno == EINTR || errno == EAGAIN) {
            count_own(&vcpu->interrupted);
            set_immediate_exit(vcpu, 0);
            unfinished = false;
        } else {
            crash(vcpu, NL_EVENT_HOST_ERROR, (uint64_t)errno);
        }
    }
}

static int start_thread(struct vcpu *vcpu, const pthread_attr_t *attributes) {
    char name[16];
    vcpu->parked = false;
    int code = pthread_create(&vcpu->thread, attributes, vcpu_main, vcpu);
    if (code == 0) {
        snprintf(name, sizeof(name), "vcpu%u", (unsigned)vcpu->index);
        pthread_setname_np(vcpu->thread, name);
    }
    return code;
}

/* The new threads inherit this mask: only the kick comes through, and the faults that cannot be put off. */
static void mask_signals(sigset_t *before) {
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t mask;
    sigfillset(&mask);
    sigdelset(&mask, KICK_SIGNAL);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        sigdelset(&mask, open[i]);
    pthread_sigmask(SIG_SETMASK, &mask, before);
}

int vcpus_start(struct nl_machine *machine, struct nl_error *error) {
    pthread_attr_t attributes;
    sigset_t before;
    size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, least > STACK_SIZE ? least : STACK_SIZE);
    mask_signals(&before);
    uint32_t started = 0;
    int code = 0;
    while (started < machine->vcpu_count && (code = start_thread(&machine->vcpus[started], &attributes)) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code == 0) {
        machine->threads_started = true;
        return 0;
    }
    /* Threads started so far wait for the machine's lock or its request; none has entered the guest. */
    atomic_store(&machine->request, REQUEST_STOP);
    pthread_cond_broadcast(&machine->changed);
    pthread_mutex_unlock(&machine->lock);
    while (started > 0)
        pthread_join(machine->vcpus[--started].thread, NULL);
    pthread_mutex_lock(&machine->lock);
    return fail(error, code, "start a vCPU thread");
}

void vcpus_join(struct nl_machine *machine) {
    for (uint32_t i = 0; i < machine->vcpu_count; i++)
        pthread_join(machine->vcpus[i].thread, NULL);
    machine->threads_started = false;
}
