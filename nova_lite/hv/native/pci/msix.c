/* MSI-X as in PCI Local Bus Specification 3.0, section 6.8.2. */
#include "pci/msix.h"

#include <string.h>

enum { ADDRESS_LOW, ADDRESS_HIGH, DATA, CONTROL };

#define CONTROL_MASKED 1u

void msix_init(struct msix *msix, unsigned vectors, struct msix_hook hook) {
    memset(msix, 0, sizeof(*msix));
    pthread_mutex_init(&msix->lock, NULL);
    msix->vectors = vectors < NL_MSIX_VECTORS ? vectors : NL_MSIX_VECTORS;
    msix->hook = hook;
    msix_reset(msix);
}

void msix_close(struct msix *msix) {
    pthread_mutex_destroy(&msix->lock);
}

void msix_reset(struct msix *msix) {
    pthread_mutex_lock(&msix->lock);
    msix->enabled = msix->masked = false;
    msix->pending = 0;
    memset(msix->table, 0, sizeof(msix->table));
    for (unsigned i = 0; i < msix->vectors; i++)
        msix->table[i][CONTROL] = CONTROL_MASKED;
    pthread_mutex_unlock(&msix->lock);
}

/* With the lock held, like all below. */
static void deliver(struct msix *msix, unsigned vector) {
    const uint32_t *entry = msix->table[vector];
    if (!msix->enabled)
        return;
    if (msix->masked || (entry[CONTROL] & CONTROL_MASKED)) {
        msix->pending |= 1ull << vector;
        return;
    }
    msix->pending &= ~(1ull << vector);
    msix->hook.fire(msix->hook.opaque, vector, (uint64_t)entry[ADDRESS_HIGH] << 32 | entry[ADDRESS_LOW], entry[DATA]);
}

static void deliver_pending(struct msix *msix) {
    for (unsigned vector = 0; vector < msix->vectors; vector++)
        if (msix->pending >> vector & 1)
            deliver(msix, vector);
}

void msix_control(struct msix *msix, bool enabled, bool masked) {
    pthread_mutex_lock(&msix->lock);
    msix->enabled = enabled;
    msix->masked = masked;
    deliver_pending(msix);
    pthread_mutex_unlock(&msix->lock);
}

void msix_fire(struct msix *msix, unsigned vector) {
    if (vector >= msix->vectors)
        return;
    pthread_mutex_lock(&msix->lock);
    deliver(msix, vector);
    pthread_mutex_unlock(&msix->lock);
}

/* Only whole, aligned dwords and qwords are defined. */
static bool fits(const struct msix *msix, uint64_t offset, unsigned size) {
    return (size == 4 || size == 8) && offset % size == 0 && offset < msix->vectors * MSIX_ENTRY_SIZE;
}

uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned size) {
    uint64_t value = 0;
    if (!fits(msix, offset, size))
        return UINT64_MAX;
    pthread_mutex_lock(&msix->lock);
    memcpy(&value, (const uint8_t *)msix->table + offset, size);
    pthread_mutex_unlock(&msix->lock);
    return value;
}

void msix_table_write(struct msix *msix, uint64_t offset, unsigned size, uint64_t value) {
    if (!fits(msix, offset, size))
        return;
    pthread_mutex_lock(&msix->lock);
    unsigned vector = (unsigned)(offset / MSIX_ENTRY_SIZE);
    memcpy((uint8_t *)msix->table + offset, &value, size);
    msix->table[vector][CONTROL] &= CONTROL_MASKED;
    if (msix->pending >> vector & 1)
        deliver(msix, vector);
    pthread_mutex_unlock(&msix->lock);
}

uint64_t msix_pending_read(struct msix *msix, uint64_t offset, unsigned size) {
    if (offset >= sizeof(msix->pending) || offset % size != 0)
        return 0;
    pthread_mutex_lock(&msix->lock);
    uint64_t value = msix->pending >> (8 * offset);
    pthread_mutex_unlock(&msix->lock);
    return size == 8 ? value : value & ((1ull << (8 * size)) - 1);
}
