/* Prints the CPUID table of each vCPU: threads cores dies packages, then the host's table on standard input. */
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

#define ROOM 64

int main(int argc, char **argv) {
    struct cpu_wishes wishes = {.tsc_deadline = true};
    struct kvm_cpuid2 *host = calloc(1, sizeof(*host) + ROOM * sizeof(host->entries[0]));
    struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + (ROOM + CPUID_TOPOLOGY_ENTRIES) * sizeof(table->entries[0]));
    struct kvm_cpuid_entry2 entry = {0};
    if (argc != 6 || host == NULL || table == NULL)
        return 2;
    uint32_t *const counts[] = {&wishes.topology.threads_per_core, &wishes.topology.cores_per_die,
                                &wishes.topology.dies_per_package, &wishes.topology.packages, &wishes.max_phys_bits};
    for (int i = 0; i < 5; i++)
        *counts[i] = (uint32_t)atoi(argv[i + 1]);
    while (host->nent < ROOM && scanf("%x %x %x %x %x %x", &entry.function, &entry.index, &entry.eax, &entry.ebx,
                                      &entry.ecx, &entry.edx) == 6)
        host->entries[host->nent++] = entry;
    uint32_t vcpus = *counts[0] * *counts[1] * *counts[2] * *counts[3];
    for (uint32_t index = 0; index < vcpus; index++) {
        table->nent = host->nent;
        for (uint32_t i = 0; i < host->nent; i++)
            table->entries[i] = host->entries[i];
        cpu_adapt_cpuid(table, &wishes, index);
        for (uint32_t i = 0; i < table->nent; i++) {
            const struct kvm_cpuid_entry2 *e = &table->entries[i];
            printf("%u %x %x %x %x %x %x\n", index, e->function, e->index, e->eax, e->ebx, e->ecx, e->edx);
        }
    }
    free(host);
    free(table);
    return 0;
}

int fail(struct nl_error *error, int code, const char *step) {
    (void)error, (void)step;
    return -code;
}
