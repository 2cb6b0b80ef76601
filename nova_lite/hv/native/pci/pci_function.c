/* A PCI function's configuration space: PCI Local Bus Specification 3.0, chapter 6. */
#include <string.h>

#include "pci/pci.h"

#define REG_STATUS 0x06
#define REG_REVISION 0x08
#define REG_CLASS 0x09
#define REG_SUBSYSTEM_VENDOR 0x2c
#define REG_SUBSYSTEM 0x2e
#define REG_CAPABILITIES 0x34
#define REG_INTERRUPT_LINE 0x3c
#define HEADER_SIZE 0x40
#define COMMAND_WRITABLE 0x0406 /* memory space, bus master, interrupt disable */
#define STATUS_CAPABILITIES 0x10

static void put(uint8_t *at, uint32_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get(const uint8_t *at, unsigned size) {
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

void pci_function_init(struct pci_function *function, const struct pci_identity *identity) {
    memset(function, 0, sizeof(*function));
    put(function->config, identity->vendor, 2);
    put(function->config + 2, identity->device, 2);
    function->config[REG_REVISION] = identity->revision;
    put(function->config + REG_CLASS, identity->class_code, 3);
    put(function->config + REG_SUBSYSTEM_VENDOR, identity->subsystem_vendor, 2);
    put(function->config + REG_SUBSYSTEM, identity->subsystem, 2);
    put(function->writable + PCI_REG_COMMAND, COMMAND_WRITABLE, 2);
    function->writable[REG_INTERRUPT_LINE] = 0xff; /* a note of the guest's; the pin stays 0: no INTx */
    function->config_end = HEADER_SIZE;
    atomic_store(&function->bar_address, PCI_NOT_DECODED);
}

void pci_function_set_bar(struct pci_function *function, uint64_t size) {
    function->bar_size = size;
    put(function->writable + PCI_REG_BAR0, (uint32_t)~(size - 1), 4); /* the bits that do not change tell the size */
}

unsigned pci_function_add_capability(struct pci_function *function, uint8_t id, const void *body, unsigned size) {
    unsigned offset = function->config_end, end = (offset + 2 + size + 3) & ~3u;
    if (end > PCI_CONFIG_SIZE)
        return 0;
    function->config[offset] = id;
    memcpy(function->config + offset + 2, body, size);
    if (function->last_capability == 0) {
        function->config[REG_CAPABILITIES] = (uint8_t)offset;
        function->config[REG_STATUS] |= STATUS_CAPABILITIES;
    } else {
        function->config[function->last_capability + 1] = (uint8_t)offset;
    }
    function->last_capability = offset;
    function->config_end = end;
    return offset;
}

/* Where the BAR answers: nowhere while memory space is off, or outside of the window that belongs to BARs. */
static void place_bar(struct pci_function *function) {
    uint64_t address = get(function->config + PCI_REG_BAR0, 4) & 0xfffffff0u;
    if (function->bar_size == 0)
        return;
    if (!(function->config[PCI_REG_COMMAND] & PCI_COMMAND_MEMORY_SPACE) || address < PCI_BAR_WINDOW ||
        address > PCI_BAR_WINDOW_END - function->bar_size)
        address = PCI_NOT_DECODED;
    if (atomic_exchange(&function->bar_address, address) != address && function->bar_moved != NULL)
        function->bar_moved(function->device);
}

void pci_function_seal(struct pci_function *function) {
    memcpy(function->initial, function->config, sizeof(function->initial));
    place_bar(function);
}

void pci_function_reset(struct pci_function *function) {
    memcpy(function->config, function->initial, sizeof(function->config));
    place_bar(function);
}

void pci_function_restore(struct pci_function *function, const uint8_t config[PCI_CONFIG_SIZE]) {
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
        function->config[i] =
            (uint8_t)((function->config[i] & ~function->writable[i]) | (config[i] & function->writable[i]));
    place_bar(function);
}

void pci_function_switch_off(struct pci_function *function) {
    function->config[PCI_REG_COMMAND] &= (uint8_t)~PCI_COMMAND_MEMORY_SPACE;
    place_bar(function);
}

static bool touches(unsigned offset, unsigned size, unsigned first, unsigned length) {
    return offset < first + length && first < offset + size;
}

uint32_t pci_function_read(struct pci_function *function, unsigned offset, unsigned size) {
    if (offset >= PCI_CONFIG_SIZE || size > PCI_CONFIG_SIZE - offset)
        return 0; /* no extended capabilities */
    if (function->before_config_read != NULL)
        function->before_config_read(function->device, offset, size);
    return get(function->config + offset, size);
}

void pci_function_write(struct pci_function *function, unsigned offset, unsigned size, uint32_t value) {
    if (offset >= PCI_CONFIG_SIZE || size > PCI_CONFIG_SIZE - offset)
        return;
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = function->writable[offset + i];
        uint8_t byte = (uint8_t)(value >> (8 * i));
        function->config[offset + i] = (uint8_t)((function->config[offset + i] & ~mask) | (byte & mask));
    }
    if (touches(offset, size, PCI_REG_COMMAND, 2) || touches(offset, size, PCI_REG_BAR0, 4))
        place_bar(function);
    if (function->config_written != NULL)
        function->config_written(function->device, offset, size);
}
