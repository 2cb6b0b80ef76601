/* MSI-X: the vector table and the pending bits of one PCI function. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define NL_MSIX_VECTORS 64
#define MSIX_ENTRY_SIZE 16

/* Where interrupts go. Called with the table's lock held, from any thread: must not come back into the table. */
struct msix_hook {
    void (*fire)(void *opaque, unsigned vector, uint64_t address, uint32_t data);
    void *opaque;
};

struct msix {
    pthread_mutex_t lock;
    unsigned vectors;
    bool enabled, masked; /* the bits of the capability's message control */
    uint32_t table[NL_MSIX_VECTORS][4];
    uint64_t pending;
    struct msix_hook hook;
};

/* At most NL_MSIX_VECTORS. */
void msix_init(struct msix *msix, unsigned vectors, struct msix_hook hook);
void msix_close(struct msix *msix);
/* As after power-on: disabled, every vector masked, nothing pending. */
void msix_reset(struct msix *msix);
/* The guest wrote the message control register. */
void msix_control(struct msix *msix, bool enabled, bool masked);
uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned size);
void msix_table_write(struct msix *msix, uint64_t offset, unsigned size, uint64_t value);
uint64_t msix_pending_read(struct msix *msix, uint64_t offset, unsigned size);
/* Interrupt the guest, or keep it pending while masked. A vector that does not exist interrupts nobody. */
void msix_fire(struct msix *msix, unsigned vector);
