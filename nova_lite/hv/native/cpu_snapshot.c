/* A vCPU's whole state out of KVM and back, for snapshots. The order of the way back is that of KVM's own needs: the
 * local APIC before the MSRs, whose TSC deadline arms its timer; pending events last. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

#define MSRS_MOST 1024u

/* What every vCPU has, in the order in which it is set. ``optional``: not every host's KVM knows of it. */
static const struct part {
    const char *tag, *what;
    unsigned long get, set;
    size_t size;
    bool optional;
} parts[] = {
    {"MPST", "the vCPU's run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state), false},
    {"REGS", "the vCPU's registers", KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs), false},
    {"SREG", "the vCPU's segments", KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs), false},
    {"XSAV", "the vCPU's vector registers", KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave), true},
    {"FPU ", "the vCPU's floating point unit", KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu), false},
    {"XCRS", "the vCPU's extended control registers", KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs), true},
    {"DREG", "the vCPU's debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs), true},
    {"LAPC", "the vCPU's interrupt controller", KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state), false},
};
static const struct part events = {
    "EVNT", "the vCPU's pending events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events), false};

union content {
    struct kvm_xsave largest;
    uint8_t bytes[sizeof(struct kvm_xsave)];
};

struct msrs {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[MSRS_MOST];
};

static int save_part(struct vcpu *vcpu, const struct part *part, struct saved_state *state, struct nl_error *error) {
    union content content = {.bytes = {0}};
    if (ioctl(vcpu->fd, part->get, &content) == 0)
        saved_put(state, SAVED_TAG(part->tag), vcpu->index, &content, part->size);
    else if (!part->optional)
        return fail(error, errno, part->what);
    return 0;
}

static int restore_part(struct vcpu *vcpu, const struct part *part, const struct saved_state *state,
                        struct nl_error *error) {
    union content content = {.bytes = {0}};
    if (!saved_copy(state, SAVED_TAG(part->tag), vcpu->index, &content, part->size))
        return part->optional ? 0 : fail(error, EINVAL, part->what);
    return ioctl(vcpu->fd, part->set, &content) < 0 ? fail(error, errno, part->what) : 0;
}

static struct kvm_msr_list *known_msrs(struct nl_machine *machine) {
    struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MOST * sizeof(list->indices[0]));
    if (list != NULL)
        list->nmsrs = MSRS_MOST;
    if (list != NULL && ioctl(machine->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
        free(list);
        return NULL;
    }
    return list;
}

/* KVM stops at the first that it does not give: that one is left out and the rest asked for again. */
static int save_msrs(struct nl_machine *machine, struct vcpu *vcpu, struct saved_state *state, struct nl_error *error) {
    struct kvm_msr_list *list = known_msrs(machine);
    struct msrs *asked = calloc(1, sizeof(*asked));
    struct kvm_msr_entry *kept = calloc(MSRS_MOST, sizeof(*kept));
    uint32_t count = 0;
    bool possible = list != NULL && asked != NULL && kept != NULL;
    for (uint32_t next = 0; possible && next < list->nmsrs;) {
        asked->head.nmsrs = list->nmsrs - next;
        for (uint32_t i = 0; i < asked->head.nmsrs; i++)
            asked->entries[i] = (struct kvm_msr_entry){.index = list->indices[next + i]};
        int given = ioctl(vcpu->fd, KVM_GET_MSRS, asked);
        if (given > 0) {
            memcpy(kept + count, asked->entries, (size_t)given * sizeof(*kept));
            count += (uint32_t)given;
        }
        next += given > 0 ? (uint32_t)given : 0;
        next += given < (int)asked->head.nmsrs ? 1 : 0;
    }
    if (possible)
        saved_put(state, SAVED_TAG("MSRS"), vcpu->index, kept, count * sizeof(*kept));
    free(list);
    free(asked);
    free(kept);
    return possible ? 0 : fail(error, ENOMEM, "read the vCPU's model-specific registers");
}

static int restore_msrs(struct nl_machine *machine, struct vcpu *vcpu, const struct saved_state *state,
                        struct nl_error *error) {
    size_t size = 0;
    const uint8_t *record = saved_get(state, SAVED_TAG("MSRS"), vcpu->index, 0, &size);
    struct msrs *set = calloc(1, sizeof(*set));
    if (record == NULL || size % sizeof(set->entries[0]) != 0 || size > sizeof(set->entries) || set == NULL) {
        free(set);
        return fail(error, EINVAL, "find the vCPU's model-specific registers");
    }
    uint32_t count = (uint32_t)(size / sizeof(set->entries[0]));
    for (uint32_t next = 0; next < count;) {
        set->head.nmsrs = count - next;
        memcpy(set->entries, record + next * sizeof(set->entries[0]), set->head.nmsrs * sizeof(set->entries[0]));
        int taken = ioctl(vcpu->fd, KVM_SET_MSRS, set);
        next += taken > 0 ? (uint32_t)taken : 0;
        if (next < count) { /* one that can be read but not be written */
            count_shared(&machine->msrs_refused, 1);
            atomic_store(&machine->last_msr_refused, set->entries[taken > 0 ? taken : 0].index);
            next++;
        }
    }
    free(set);
    return 0;
}

int cpu_save(struct nl_machine *machine, struct vcpu *vcpu, struct saved_state *state, struct nl_error *error) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        result = save_part(vcpu, &parts[i], state, error);
    if (result == 0)
        result = save_msrs(machine, vcpu, state, error);
    return result == 0 ? save_part(vcpu, &events, state, error) : result;
}

int cpu_restore(struct nl_machine *machine, struct vcpu *vcpu, const struct saved_state *state, struct nl_error *error) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        result = restore_part(vcpu, &parts[i], state, error);
    if (result == 0)
        result = restore_msrs(machine, vcpu, state, error);
    return result == 0 ? restore_part(vcpu, &events, state, error) : result;
}
