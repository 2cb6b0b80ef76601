/* APIC ids from the numbers of vCPUs (Intel SDM 3A, 9.9; AMD APM 3, E.5). */
#include "topology.h"

unsigned topology_bits(uint32_t count) {
    unsigned bits = 0;
    while (bits < 31 && (1u << bits) < count)
        bits++;
    return bits;
}

unsigned topology_core_shift(const struct nl_cpu_topology *topology) {
    return topology_bits(topology->threads_per_core);
}

unsigned topology_die_shift(const struct nl_cpu_topology *topology) {
    return topology_core_shift(topology) + topology_bits(topology->cores_per_die);
}

unsigned topology_package_shift(const struct nl_cpu_topology *topology) {
    return topology_die_shift(topology) + topology_bits(topology->dies_per_package);
}

uint32_t topology_apic_id(const struct nl_cpu_topology *topology, uint32_t index) {
    uint32_t thread = index % topology->threads_per_core, core = index / topology->threads_per_core;
    uint32_t die = core / topology->cores_per_die, package = die / topology->dies_per_package;
    return package << topology_package_shift(topology) | die % topology->dies_per_package << topology_die_shift(topology) |
           core % topology->cores_per_die << topology_core_shift(topology) | thread;
}
