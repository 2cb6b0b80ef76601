/* The short ways between KVM and the virtio devices: interrupts by irqfd, notifications by ioeventfd. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"

#define PIC_PINS 16
#define IOAPIC_PINS 24
#define SLOT_GSIS (VIRTIO_QUEUES + 1)

/* One MSI-X vector of one device: what the guest wrote for it last, as far as KVM knows. */
struct msi_route {
    int fd;
    bool routed, bound;
    uint64_t address;
    uint32_t data;
};

/* A device's interrupts, and where its notifications arrive. */
struct device_glue {
    uint64_t notify_at;
    uint32_t first_gsi;
    unsigned count;
    struct msi_route routes[];
};

static void set_msi(struct kvm_irq_routing_entry *entry, uint32_t gsi, const struct msi_route *route) {
    *entry = (struct kvm_irq_routing_entry){.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI};
    entry->u.msi.address_lo = (uint32_t)route->address;
    entry->u.msi.address_hi = (uint32_t)(route->address >> 32);
    entry->u.msi.data = route->data;
}

static void set_pin(struct kvm_irq_routing_entry *entry, uint32_t gsi, uint32_t chip, uint32_t pin) {
    *entry = (struct kvm_irq_routing_entry){.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};
    entry->u.irqchip.irqchip = chip;
    entry->u.irqchip.pin = pin;
}

/* The call replaces the whole table, so the wires of PIC and IOAPIC are in it each time. */
static int set_routing(struct nl_machine *machine) {
    struct kvm_virtio *glue = &machine->kvm_virtio;
    unsigned vectors = 0;
    for (unsigned slot = 0; slot < PCI_DEVICES; slot++)
        vectors += glue->devices[slot] != NULL ? glue->devices[slot]->count : 0;
    struct kvm_irq_routing *table =
        calloc(1, sizeof(*table) + (PIC_PINS + IOAPIC_PINS + vectors) * sizeof(table->entries[0]));
    if (table == NULL)
        return -ENOMEM;
    for (uint32_t pin = 0; pin < PIC_PINS; pin++)
        set_pin(&table->entries[table->nr++], pin, pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin % 8);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        set_pin(&table->entries[table->nr++], pin, KVM_IRQCHIP_IOAPIC, pin);
    for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
        const struct device_glue *own = glue->devices[slot];
        for (unsigned i = 0; own != NULL && i < own->count; i++)
            if (own->routes[i].routed)
                set_msi(&table->entries[table->nr++], own->first_gsi + i, &own->routes[i]);
    }
    int result = ioctl(machine->vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
    free(table);
    return result;
}

static bool bind_fd(struct nl_machine *machine, struct msi_route *route, uint32_t gsi) {
    struct kvm_irqfd irqfd = {.fd = (uint32_t)route->fd, .gsi = gsi};
    route->bound = route->bound || ioctl(machine->vm_fd, KVM_IRQFD, &irqfd) == 0;
    return route->bound;
}

/* Routes are set when a vector fires, not when the guest writes it: while it boots it writes each many times, and
 * KVM waits for a grace period at each change. */
static void fire(void *opaque, struct virtio_device *device, unsigned vector, uint64_t address, uint32_t data) {
    struct nl_machine *machine = opaque;
    struct kvm_virtio *glue = &machine->kvm_virtio;
    struct device_glue *own = device->glue;
    pthread_mutex_lock(&glue->lock);
    struct msi_route *route = &own->routes[vector];
    bool short_way = true;
    if (!route->routed || route->address != address || route->data != data) {
        route->routed = true;
        route->address = address;
        route->data = data;
        short_way = set_routing(machine) == 0 && bind_fd(machine, route, own->first_gsi + vector);
        route->routed = short_way;
    }
    pthread_mutex_unlock(&glue->lock);
    if (short_way) {
        eventfd_write(route->fd, 1);
    } else { /* KVM refused the route, so it is told of this one interrupt */
        struct kvm_msi msi = {
            .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data};
        ioctl(machine->vm_fd, KVM_SIGNAL_MSI, &msi);
    }
}

static void bind_notifications(struct nl_machine *machine, struct virtio_device *device, uint64_t at, bool bind) {
    for (unsigned i = 0; i < device->queue_count; i++) {
        if (virtio_served_by_vcpu(device, i))
            continue;
        /* Length 0: a write of any width. A refusal costs exits, no function: the BAR takes notifications as well. */
        struct kvm_ioeventfd notification = {
            .addr = at + 4 * i, .fd = device->queues[i].kick_fd, .flags = bind ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN};
        ioctl(machine->vm_fd, KVM_IOEVENTFD, &notification);
    }
}

static void notify_at(void *opaque, struct virtio_device *device, uint64_t address) {
    struct nl_machine *machine = opaque;
    struct device_glue *own = device->glue;
    if (own->notify_at == address)
        return;
    if (own->notify_at != PCI_NOT_DECODED)
        bind_notifications(machine, device, own->notify_at, false);
    if (address != PCI_NOT_DECODED)
        bind_notifications(machine, device, address, true);
    own->notify_at = address;
}

static void free_glue(struct device_glue *own) {
    for (unsigned i = 0; i < own->count; i++)
        close(own->routes[i].fd);
    free(own);
}

static void removed(void *opaque, struct virtio_device *device) {
    struct nl_machine *machine = opaque;
    struct kvm_virtio *glue = &machine->kvm_virtio;
    struct device_glue *own = device->glue;
    bool routed = false;
    if (own == NULL)
        return;
    pthread_mutex_lock(&glue->lock);
    glue->devices[device->number] = NULL;
    for (unsigned i = 0; i < own->count; i++) {
        struct kvm_irqfd irqfd = {
            .fd = (uint32_t)own->routes[i].fd, .gsi = own->first_gsi + i, .flags = KVM_IRQFD_FLAG_DEASSIGN};
        if (own->routes[i].bound)
            ioctl(machine->vm_fd, KVM_IRQFD, &irqfd);
        routed = routed || own->routes[i].routed;
    }
    if (routed)
        set_routing(machine);
    pthread_mutex_unlock(&glue->lock);
    free_glue(own);
    device->glue = NULL;
}

static int added(void *opaque, struct virtio_device *device) {
    struct nl_machine *machine = opaque;
    unsigned vectors = device->queue_count + 1;
    struct device_glue *own = calloc(1, sizeof(*own) + vectors * sizeof(own->routes[0]));
    if (own == NULL)
        return -ENOMEM;
    own->notify_at = PCI_NOT_DECODED;
    own->first_gsi = IOAPIC_PINS + device->number * SLOT_GSIS;
    for (; own->count < vectors; own->count++) {
        int fd = own->routes[own->count].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (fd < 0) {
            int code = errno;
            free_glue(own);
            return -code;
        }
    }
    device->glue = own;
    pthread_mutex_lock(&machine->kvm_virtio.lock);
    machine->kvm_virtio.devices[device->number] = own;
    pthread_mutex_unlock(&machine->kvm_virtio.lock);
    return 0;
}

struct virtio_hooks kvm_virtio_hooks(struct nl_machine *machine) {
    return (struct virtio_hooks){
        .fire = fire, .notify_at = notify_at, .added = added, .removed = removed, .opaque = machine};
}

void kvm_virtio_forget(struct nl_machine *machine) {
    for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
        struct device_glue *own = machine->kvm_virtio.devices[slot];
        for (unsigned i = 0; own != NULL && i < own->count; i++)
            own->routes[i].routed = own->routes[i].bound = false;
        if (own != NULL)
            own->notify_at = PCI_NOT_DECODED;
    }
}

void kvm_virtio_close(struct nl_machine *machine) {
    for (unsigned slot = 0; slot < PCI_DEVICES; slot++)
        if (machine->kvm_virtio.devices[slot] != NULL)
            free_glue(machine->kvm_virtio.devices[slot]);
    pthread_mutex_destroy(&machine->kvm_virtio.lock);
}
