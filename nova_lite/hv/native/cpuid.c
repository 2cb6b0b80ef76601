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

/* Intel SDM 2A, CPUID, leaf 1FH. */
#define LEVEL_THREAD 1
#define LEVEL_CORE 2
#define LEVEL_DIE 5

/* What kvm-amd and kvm-intel say of themselves in these leaves is nothing, or the host's; all of it is replaced. */
static bool tells_of_topology(uint32_t leaf) {
    return leaf == 0xb || leaf == 0x1f;
}

/* The host's table describes the host's processors; these leaves must describe ours. No guest gets virtualization. */
static void adapt(struct kvm_cpuid_entry2 *entry, const struct cpu_wishes *wishes, uint32_t index) {
    const struct nl_cpu_topology *topology = &wishes->topology;
    uint32_t id = topology_apic_id(topology, index), cores = topology->cores_per_die * topology->dies_per_package;
    uint32_t threads = topology->threads_per_core, in_package = cores * threads, level;
    unsigned package_shift = topology_package_shift(topology);
    switch (entry->function) {
    case 0x0:
        if (topology->dies_per_package > 1 && entry->eax < 0x1f)
            entry->eax = 0x1f;
        break;
    case 0x1: /* APIC id, how many logical processors in the package */
        entry->ebx = (entry->ebx & 0xffff) | (in_package & 0xff) << 16 | id << 24;
        entry->ecx = (entry->ecx | CPUID_HYPERVISOR) & ~CPUID_VMX;
        /* Not in the host's table: the timer is KVM's own, and without it Linux spends 100 ms on measuring another. */
        entry->ecx = wishes->tsc_deadline ? entry->ecx | CPUID_TSC_DEADLINE : entry->ecx & ~CPUID_TSC_DEADLINE;
        entry->edx = in_package > 1 ? entry->edx | CPUID_HTT : entry->edx & ~CPUID_HTT;
        break;
    case 0x4: /* caches: shared by the threads of a core at levels 1 and 2, by a die at level 3 */
        level = entry->eax >> 5 & 7;
        if ((entry->eax & 0x1f) != 0) {
            unsigned shared = level >= 3 ? topology_die_shift(topology) : topology_core_shift(topology);
            uint32_t core_ids = (1u << (package_shift - topology_core_shift(topology))) - 1;
            entry->eax = (entry->eax & 0x3fff) | ((1u << shared) - 1) << 14 | (core_ids < 63 ? core_ids : 63) << 26;
        }
        break;
    case 0xa: /* no performance counters */
    case 0x8000000a: /* nothing about nested guests */
        entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        break;
    case 0x80000001:
        entry->ecx &= ~CPUID_SVM;
        break;
    case 0x80000008: /* addresses; AMD: how many processors, and how many bits of the APIC id tell them apart */
        if (wishes->max_phys_bits > 0 && (entry->eax & 0xff) > wishes->max_phys_bits)
            entry->eax = (entry->eax & ~0xffu) | wishes->max_phys_bits;
        entry->ecx = (entry->ecx & ~0xf0ffu) | ((in_package - 1) & 0xff) | package_shift << 12;
        break;
    case 0x8000001d: /* AMD's leaf 4 */
        level = entry->eax >> 5 & 7;
        if ((entry->eax & 0x1f) != 0)
            entry->eax = (entry->eax & 0x3fff) | (level >= 3 ? threads * topology->cores_per_die - 1 : threads - 1) << 14;
        break;
    case 0x8000001e: /* AMD: APIC id; core and its threads; node, which is the die, and how many in the package */
        entry->eax = id;
        entry->ebx = (id >> topology_core_shift(topology) & 0xff) | (threads - 1) << 8;
        entry->ecx = (id >> topology_die_shift(topology) & 0xff) | ((topology->dies_per_package - 1) & 7) << 8;
        entry->edx = 0;
        break;
    }
}

static void add_level(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t level, uint32_t type, uint32_t shift,
                      uint32_t count, uint32_t id) {
    table->entries[table->nent++] = (struct kvm_cpuid_entry2){.function = leaf,
                                                              .index = level,
                                                              .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                                                              .eax = shift,
                                                              .ebx = count,
                                                              .ecx = level | type << 8,
                                                              .edx = id};
}

/* Leaf 0xB knows threads and cores, so a core's level is all of the package; dies are told in leaf 0x1F only. */
static void add_topology(struct kvm_cpuid2 *table, const struct nl_cpu_topology *topology, uint32_t index) {
    uint32_t id = topology_apic_id(topology, index), in_die = topology->threads_per_core * topology->cores_per_die;
    uint32_t in_package = in_die * topology->dies_per_package;
    unsigned core_shift = topology_core_shift(topology), package_shift = topology_package_shift(topology);
    add_level(table, 0xb, 0, LEVEL_THREAD, core_shift, topology->threads_per_core, id);
    add_level(table, 0xb, 1, LEVEL_CORE, package_shift, in_package, id);
    if (topology->dies_per_package == 1)
        return;
    add_level(table, 0x1f, 0, LEVEL_THREAD, core_shift, topology->threads_per_core, id);
    add_level(table, 0x1f, 1, LEVEL_CORE, topology_die_shift(topology), in_die, id);
    add_level(table, 0x1f, 2, LEVEL_DIE, package_shift, in_package, id);
}

void cpu_adapt_cpuid(struct kvm_cpuid2 *table, const struct cpu_wishes *wishes, uint32_t index) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->nent; i++)
        if (!tells_of_topology(table->entries[i].function)) {
            table->entries[kept] = table->entries[i];
            adapt(&table->entries[kept++], wishes, index);
        }
    table->nent = kept;
    add_topology(table, &wishes->topology, index);
}

static struct kvm_cpuid2 *supported_cpuid(int kvm_fd) {
    for (uint32_t entries = 64; entries <= 1024; entries *= 2) {
        struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + (entries + CPUID_TOPOLOGY_ENTRIES) * sizeof(cpuid->entries[0]));
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

/* The host has refused the table: leaf by leaf, and without those that are to blame. */
static void set_one_by_one(struct nl_machine *machine, struct vcpu *vcpu, struct kvm_cpuid2 *table) {
    uint32_t count = table->nent;
    table->nent = 0;
    for (uint32_t i = 0; i < count; i++) {
        table->entries[table->nent++] = table->entries[i];
        if (ioctl(vcpu->fd, KVM_SET_CPUID2, table) == 0)
            continue;
        count_shared(&machine->cpuid_refused, 1);
        atomic_store(&machine->last_cpuid_refused, table->entries[--table->nent].function);
    }
}

int cpu_set_cpuid(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error) {
    struct kvm_cpuid2 *cpuid = supported_cpuid(machine->kvm_fd);
    if (cpuid == NULL)
        return fail(error, errno, "ask for the host's CPUID table");
    struct cpu_wishes wishes = {
        .topology = machine->topology,
        .max_phys_bits = machine->max_phys_bits,
        .tsc_deadline = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0,
    };
    cpu_adapt_cpuid(cpuid, &wishes, vcpu->index);
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
        set_one_by_one(machine, vcpu, cpuid);
    free(cpuid);
    return 0;
}
