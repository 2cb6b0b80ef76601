/* How the vCPUs hang together: threads in cores, cores in dies, dies in packages. No KVM in here. */
#pragma once
#include <stdint.h>

#include "interface.h"

/* How many bits of an APIC id tell ``count`` things apart. */
unsigned topology_bits(uint32_t count);
/* Of each thread's APIC id, the bits below the number of its core; its die; its package. */
unsigned topology_core_shift(const struct nl_cpu_topology *topology);
unsigned topology_die_shift(const struct nl_cpu_topology *topology);
unsigned topology_package_shift(const struct nl_cpu_topology *topology);
/* vCPUs are numbered thread by thread. Each level has bits of its own, so ids have gaps unless all are powers of two. */
uint32_t topology_apic_id(const struct nl_cpu_topology *topology, uint32_t index);
