/* CPUID as the guest sees it: what KVM supports on this host, with the leaves that tell of the machine made ours. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "machine.h"

#define CPUID_HYPERVISOR (1u << 31)
#define CPUID_TSC_DEADLINE (1u << 24)
#define CPUID_VMX (1u << 5)
#define CPUID_HTT (1u << 28)
#define CPUID_SVM (1u << 2)

static unsigned bits_for(uint32_t count) {
    unsigned bits = 0;
    while ((1u << bits) < count)
        bits++;
    return bits;
}

/* The host's table describes the host's processors; these leaves must describe ours. No guest gets virtualization. */
static void adapt_cpuid(struct kvm_cpuid_entry2 *entry, uint32_t index, uint32_t count, bool tsc_deadline) {
    switch (entry->function) {
    case 0x1: /* APIC id, how many logical processors */
        entry->ebx = (entry->ebx & 0xffff) | count << 16 | index << 24;
        entry->ecx = (entry->ecx | CPUID_HYPERVISOR) & ~CPUID_VMX;
        /* Not in the host's table: the timer is KVM's own, and without it Linux spends 100 ms on measuring another. */
        entry->ecx = tsc_deadline ? entry->ecx | CPUID_TSC_DEADLINE : entry->ecx & ~CPUID_TSC_DEADLINE;
        entry->edx = count > 1 ? entry->edx | CPUID_HTT : entry->edx & ~CPUID_HTT;
        break;
    case 0x4: /* caches: shared by nobody at levels 1 and 2, by all at level 3 */
        if ((entry->eax & 0x1f) != 0) {
            uint32_t sharing = (entry->eax >> 5 & 7) >= 3 ? count - 1 : 0;
            entry->eax = (entry->eax & 0x3fff) | sharing << 14 | ((1u << bits_for(count)) - 1) << 26;
        }
        break;
    case 0xa: /* no performance counters */
    case 0x8000000a: /* nothing about nested guests */
        entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        break;
    case 0xb:
    case 0x1f: /* one thread per core, all cores in one package */
        entry->edx = index;
        entry->ecx = entry->index;
        entry->eax = entry->ebx = 0;
        if (entry->index == 0) {
            entry->ebx = 1;
            entry->ecx |= 1 << 8;
        } else if (entry->index == 1) {
            entry->eax = bits_for(count);
            entry->ebx = count;
            entry->ecx |= 2 << 8;
        }
        break;
    case 0x80000001:
        entry->ecx &= ~CPUID_SVM;
        break;
    case 0x80000008: /* AMD: how many processors, and how many bits of the APIC id tell them apart */
        entry->ecx = (entry->ecx & ~0xf0ffu) | (count - 1) | bits_for(count) << 12;
        break;
    case 0x8000001e: /* AMD: APIC id, core, one thread each, node 0 */
        entry->eax = index;
        entry->ebx = index & 0xff;
        entry->ecx = 0;
        break;
    }
}

static struct kvm_cpuid2 *supported_cpuid(int kvm_fd) {
    for (uint32_t entries = 64; entries <= 1024; entries *= 2) {
        struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + entries * sizeof(cpuid->entries[0]));
        if (cpuid == NULL)
            return NULL;
        cpuid->nent = entries;
        if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
            return cpuid;
        free(cpuid);
        if (errno != E2BIG)
            return NULL;
    }
    return NULL;
}

int cpu_set_cpuid(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error) {
    struct kvm_cpuid2 *cpuid = supported_cpuid(machine->kvm_fd);
    if (cpuid == NULL)
        return fail(error, errno, "ask for the host's CPUID table");
    bool tsc_deadline = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    for (uint32_t i = 0; i < cpuid->nent; i++)
        adapt_cpuid(&cpuid->entries[i], vcpu->index, machine->vcpu_count, tsc_deadline);
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
        count_shared(&machine->cpuid_refused, 1);
    free(cpuid);
    return 0;
}
