/* The PCI hot-plug controller: the registers behind ACPI's methods (nova_lite/hv/vmm/acpi/hotplug.py), as those of QEMU and
 * Cloud Hypervisor. A bit of each register is a slot. */
#include "pci/pci.h"

#define UP 0x640    /* read: slots with a new device, each told once */
#define DOWN 0x644  /* read: slots whose device the host wants back */
#define EJECT 0x648 /* write: the guest has let go of these */
#define LAST_PORT 0x64b

static uint32_t hotplug_read(void *device, uint16_t port, unsigned size) {
    struct pci_bus *pci = device;
    if (size == 4 && port == UP)
        return atomic_exchange(&pci->up, 0);
    return size == 4 && port == DOWN ? atomic_load(&pci->down) : 0;
}

static void hotplug_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct pci_bus *pci = device;
    if (size != 4 || port != EJECT)
        return;
    /* What nobody has asked for stays: its slot is the host's to give and to take. */
    uint32_t ejected = value & atomic_fetch_and(&pci->down, ~value);
    atomic_fetch_or(&pci->ejected, ejected);
    if (ejected != 0 && pci->on_eject != NULL)
        pci->on_eject(pci->opaque);
}

const struct pio_device pci_hotplug_ports = {
    .first = UP, .last = LAST_PORT, .read = hotplug_read, .write = hotplug_write};
