/* One PCI bus: configuration space, memory BARs, capabilities. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "end_hook.h"

#define PCI_DEVICES 32
#define PCI_CONFIG_SIZE 256
#define PCI_ECAM_BASE 0xe0000000ull
#define PCI_ECAM_SIZE 0x100000ull /* bus 0 and no other */
#define PCI_BAR_WINDOW 0xe1000000ull
#define PCI_BAR_WINDOW_END 0xfec00000ull /* the IOAPIC */
#define PCI_BAR_ROOM 0x8000ull           /* of each slot, for its BAR */

/* Offsets of the header that others need as well. */
#define PCI_REG_COMMAND 0x04
#define PCI_REG_BAR0 0x10
#define PCI_COMMAND_MEMORY_SPACE 0x02
#define PCI_NOT_DECODED UINT64_MAX

struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code; /* base class, subclass, interface: 24 bits */
};

/* Function 0 of a device; there are no others. What it does is in the hooks, each of which may be NULL. */
struct pci_function {
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t writable[PCI_CONFIG_SIZE]; /* the bits of each byte that the guest may change */
    uint8_t initial[PCI_CONFIG_SIZE];  /* what a reset brings back */
    unsigned last_capability, config_end;
    uint64_t bar_size;            /* of BAR 0, a 32-bit memory BAR; 0: has none */
    _Atomic uint64_t bar_address; /* where BAR 0 answers now, or PCI_NOT_DECODED */
    void *device;
    uint64_t (*bar_read)(void *device, uint64_t offset, unsigned size);
    void (*bar_write)(void *device, uint64_t offset, unsigned size, uint64_t value);
    /* With the bus's lock held: */
    void (*before_config_read)(void *device, unsigned offset, unsigned size);
    void (*config_written)(void *device, unsigned offset, unsigned size);
    void (*bar_moved)(void *device);
};

struct pci_bus {
    pthread_mutex_t lock; /* of every configuration space and of the latch */
    uint32_t address;     /* what was written to port 0xCF8 */
    uint8_t reset_control; /* port 0xCF9 */
    struct end_hook end;   /* what a reset by that port leads to; may be empty */
    struct pci_function host_bridge;
    struct pci_function *functions[PCI_DEVICES]; /* by slot; changes only while no vCPU runs */
    /* The hot-plug controller, a bit for each slot: has a new device; the host wants its device back; the guest has let go of
     * it, which hides it until the host takes it away. */
    _Atomic uint32_t up, down, ejected;
    unsigned wanted; /* the slot that the next device gets if it is free; 0: the lowest free one */
    void (*on_eject)(void *opaque); /* in the thread of a vCPU */
    void *opaque;
    counter config_reads, config_writes, unclaimed_bar_reads, unclaimed_bar_writes;
};

/* Puts the bus with its host bridge on the machine's bus. False when that has no room. */
bool pci_bus_init(struct pci_bus *pci, struct bus *bus);
void pci_bus_close(struct pci_bus *pci);
void pci_bus_reset(struct pci_bus *pci);
/* The slot that is wanted, or the lowest free one, and its place for the BAR; false when the bus is full. */
bool pci_bus_add(struct pci_bus *pci, struct pci_function *function, unsigned *number);
/* The slot is free again. */
void pci_bus_remove(struct pci_bus *pci, unsigned number);
/* The device has come while the guest ran: it answers at no address before the guest has given it one. */
void pci_bus_plugged(struct pci_bus *pci, unsigned number);

extern const struct pio_device pci_hotplug_ports;

/* pci_function.c */
void pci_function_init(struct pci_function *function, const struct pci_identity *identity);
/* ``size``: a power of two from 4096 on. */
void pci_function_set_bar(struct pci_function *function, uint64_t size);
/* ``body``: what follows the two bytes of every capability. Returns its offset, or 0 when there is no room. */
unsigned pci_function_add_capability(struct pci_function *function, uint8_t id, const void *body, unsigned size);
/* The state made so far is what a reset brings back. */
void pci_function_seal(struct pci_function *function);
void pci_function_reset(struct pci_function *function);
/* ``config`` as it was read from the like of this function; what the guest cannot change stays. */
void pci_function_restore(struct pci_function *function, const uint8_t config[PCI_CONFIG_SIZE]);
/* As a card that was just put in: memory space off. */
void pci_function_switch_off(struct pci_function *function);
uint32_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size);
void pci_function_write(struct pci_function *function, unsigned offset, unsigned size, uint32_t value);
