/* The PCI bus: ports 0xCF8 and 0xCFC, ECAM, the window of the BARs, and the host bridge as device 0. */
#include <string.h>

#include "pci/pci.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
/* The reset control register of Intel's chipsets (PIIX3 to the present ones), a byte amid the address's four. */
#define RESET_CONTROL 0xcf9
#define RESET_CPU 0x04      /* turned on: reset */
#define RESET_WRITABLE 0x0e /* that, hard or soft, full */
#define ADDRESS_ENABLE 0x80000000u

static struct pci_function *present(struct pci_bus *pci, unsigned slot) {
    return atomic_load(&pci->ejected) >> slot & 1 ? NULL : pci->functions[slot];
}

/* With the lock held. Only function 0 of bus 0 answers. */
static struct pci_function *find(struct pci_bus *pci, unsigned bus, unsigned device, unsigned function) {
    return bus == 0 && function == 0 && device < PCI_DEVICES ? present(pci, device) : NULL;
}

static struct pci_function *addressed(struct pci_bus *pci) {
    uint32_t address = pci->address;
    if (!(address & ADDRESS_ENABLE))
        return NULL;
    return find(pci, address >> 16 & 0xff, address >> 11 & 0x1f, address >> 8 & 7);
}

/* The data register's four bytes are one dword of configuration space; what would reach beyond it is refused. */
static bool reaches_register(uint16_t port, unsigned size) {
    return port >= CONFIG_DATA && port + size <= CONFIG_DATA + 4;
}

static uint32_t port_read(void *device, uint16_t port, unsigned size) {
    struct pci_bus *pci = device;
    uint32_t value = UINT32_MAX;
    pthread_mutex_lock(&pci->lock);
    if (port == CONFIG_ADDRESS && size == 4) {
        value = pci->address;
    } else if (port == RESET_CONTROL && size == 1) {
        value = pci->reset_control;
    } else if (reaches_register(port, size)) {
        struct pci_function *function = addressed(pci);
        count_shared(&pci->config_reads, 1);
        if (function != NULL)
            value = pci_function_read(function, (pci->address & 0xfc) + (port - CONFIG_DATA), size);
    }
    pthread_mutex_unlock(&pci->lock);
    return value;
}

static void port_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct pci_bus *pci = device;
    bool reset = false;
    pthread_mutex_lock(&pci->lock);
    if (port == CONFIG_ADDRESS && size == 4) {
        pci->address = value & ~3u;
    } else if (port == RESET_CONTROL && size == 1) {
        reset = !(pci->reset_control & RESET_CPU) && (value & RESET_CPU);
        pci->reset_control = value & RESET_WRITABLE;
    } else if (reaches_register(port, size)) {
        struct pci_function *function = addressed(pci);
        count_shared(&pci->config_writes, 1);
        if (function != NULL)
            pci_function_write(function, (pci->address & 0xfc) + (port - CONFIG_DATA), size, value);
    }
    pthread_mutex_unlock(&pci->lock);
    if (reset && pci->end.end != NULL)
        pci->end.end(pci->end.opaque, NL_EVENT_RESET);
}

static struct pci_function *ecam_function(struct pci_bus *pci, uint64_t offset, unsigned size) {
    if (size > 4 || offset % size != 0)
        return NULL;
    return find(pci, (unsigned)(offset >> 20), (unsigned)(offset >> 15 & 0x1f), (unsigned)(offset >> 12 & 7));
}

static uint64_t ecam_read(void *device, uint64_t offset, unsigned size) {
    struct pci_bus *pci = device;
    uint64_t value = UINT64_MAX;
    pthread_mutex_lock(&pci->lock);
    struct pci_function *function = ecam_function(pci, offset, size);
    count_shared(&pci->config_reads, 1);
    if (function != NULL)
        value = pci_function_read(function, offset & 0xfff, size);
    pthread_mutex_unlock(&pci->lock);
    return value;
}

static void ecam_write(void *device, uint64_t offset, unsigned size, uint64_t value) {
    struct pci_bus *pci = device;
    pthread_mutex_lock(&pci->lock);
    struct pci_function *function = ecam_function(pci, offset, size);
    count_shared(&pci->config_writes, 1);
    if (function != NULL)
        pci_function_write(function, offset & 0xfff, size, (uint32_t)value);
    pthread_mutex_unlock(&pci->lock);
}

/* Which BAR answers. Without the lock: the slots are fixed while the guest runs, an address is one atomic word. */
static struct pci_function *bar_owner(struct pci_bus *pci, uint64_t address, unsigned size, uint64_t *offset) {
    for (unsigned i = 0; i < PCI_DEVICES; i++) {
        struct pci_function *function = present(pci, i);
        if (function == NULL)
            continue;
        uint64_t start = atomic_load_explicit(&function->bar_address, memory_order_acquire);
        if (address < start || address - start >= function->bar_size || function->bar_size - (address - start) < size)
            continue;
        *offset = address - start;
        return function;
    }
    return NULL;
}

static uint64_t bar_read(void *device, uint64_t offset, unsigned size) {
    struct pci_bus *pci = device;
    struct pci_function *function = bar_owner(pci, PCI_BAR_WINDOW + offset, size, &offset);
    if (function != NULL)
        return function->bar_read(function->device, offset, size);
    count_shared(&pci->unclaimed_bar_reads, 1);
    return UINT64_MAX;
}

static void bar_write(void *device, uint64_t offset, unsigned size, uint64_t value) {
    struct pci_bus *pci = device;
    struct pci_function *function = bar_owner(pci, PCI_BAR_WINDOW + offset, size, &offset);
    if (function != NULL)
        function->bar_write(function->device, offset, size, value);
    else
        count_shared(&pci->unclaimed_bar_writes, 1);
}

bool pci_bus_init(struct pci_bus *pci, struct bus *bus) {
    /* Intel's number of a host bridge without a configuration of its own, as Cloud Hypervisor's. */
    static const struct pci_identity bridge = {.vendor = 0x8086, .device = 0x0d57, .class_code = 0x060000};
    struct pio_device ports = {.first = CONFIG_ADDRESS, .last = CONFIG_DATA + 3, .read = port_read, .write = port_write};
    struct mmio_device ecam = {
        .first = PCI_ECAM_BASE, .size = PCI_ECAM_SIZE, .read = ecam_read, .write = ecam_write, .device = pci};
    struct mmio_device bars = {.first = PCI_BAR_WINDOW,
                               .size = PCI_BAR_WINDOW_END - PCI_BAR_WINDOW,
                               .read = bar_read,
                               .write = bar_write,
                               .device = pci};
    struct pio_device hotplug = pci_hotplug_ports;
    unsigned number;
    ports.device = hotplug.device = pci;
    pthread_mutex_init(&pci->lock, NULL);
    pci_function_init(&pci->host_bridge, &bridge);
    return pci_bus_add(pci, &pci->host_bridge, &number) && bus_add_pio(bus, &ports) && bus_add_mmio(bus, &ecam) &&
           bus_add_mmio(bus, &bars) && bus_add_pio(bus, &hotplug);
}

void pci_bus_close(struct pci_bus *pci) {
    pthread_mutex_destroy(&pci->lock);
}

bool pci_bus_add(struct pci_bus *pci, struct pci_function *function, unsigned *number) {
    unsigned slot = 0;
    while (slot < PCI_DEVICES && pci->functions[slot] != NULL)
        slot++;
    if (pci->wanted > 0 && pci->wanted < PCI_DEVICES && pci->functions[pci->wanted] == NULL)
        slot = pci->wanted;
    pci->wanted = 0;
    if (slot == PCI_DEVICES || function->bar_size > PCI_BAR_ROOM || (slot == 0 && function->bar_size > 0))
        return false;
    if (function->bar_size > 0) {
        uint32_t low = (uint32_t)(PCI_BAR_WINDOW + (slot - 1) * PCI_BAR_ROOM); /* slot 0 is the host bridge */
        memcpy(function->config + PCI_REG_BAR0, &low, sizeof(low));
        function->config[PCI_REG_COMMAND] |= PCI_COMMAND_MEMORY_SPACE; /* there is no firmware to switch it on */
    }
    pci_function_seal(function);
    *number = slot;
    pci->functions[slot] = function;
    return true;
}

void pci_bus_remove(struct pci_bus *pci, unsigned number) {
    uint32_t others = ~(1u << number);
    pci->functions[number] = NULL;
    atomic_fetch_and(&pci->up, others);
    atomic_fetch_and(&pci->down, others);
    atomic_fetch_and(&pci->ejected, others);
}

void pci_bus_plugged(struct pci_bus *pci, unsigned number) {
    pci_function_switch_off(pci->functions[number]);
    atomic_fetch_or(&pci->up, 1u << number);
}

void pci_bus_reset(struct pci_bus *pci) {
    pthread_mutex_lock(&pci->lock);
    pci->address = 0;
    pci->reset_control = 0;
    atomic_store(&pci->up, 0); /* the next boot finds all by itself */
    for (unsigned i = 0; i < PCI_DEVICES; i++)
        if (pci->functions[i] != NULL)
            pci_function_reset(pci->functions[i]);
    pthread_mutex_unlock(&pci->lock);
}
