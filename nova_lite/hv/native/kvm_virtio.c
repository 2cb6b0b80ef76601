/* The short ways between KVM and the virtio devices: interrupts by irqfd, notifications by ioeventfd. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"

#define PIC_PINS 16
#define IOAPIC_PINS 24

/* One MSI-X vector of one device: what the guest wrote for it last, as far as KVM knows. */
struct msi_route {
    int fd;
    bool routed, bound;
    uint64_t address;
    uint32_t data;
};

/* Which of the machine's routes are the device's, and where its notifications arrive. */
struct device_glue {
    unsigned first_route;
    uint64_t notify_at;
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
    struct kvm_irq_routing *table =
        calloc(1, sizeof(*table) + (PIC_PINS + IOAPIC_PINS + glue->count) * sizeof(table->entries[0]));
    if (table == NULL)
        return -ENOMEM;
    for (uint32_t pin = 0; pin < PIC_PINS; pin++)
        set_pin(&table->entries[table->nr++], pin, pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin % 8);
    for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
        set_pin(&table->entries[table->nr++], pin, KVM_IRQCHIP_IOAPIC, pin);
    for (unsigned i = 0; i < glue->count; i++)
        if (glue->routes[i].routed)
            set_msi(&table->entries[table->nr++], IOAPIC_PINS + i, &glue->routes[i]);
    int result = ioctl(machine->vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
    free(table);
    return result;
}

static bool bind_fd(struct nl_machine *machine, unsigned index) {
    struct msi_route *route = &machine->kvm_virtio.routes[index];
    struct kvm_irqfd irqfd = {.fd = (uint32_t)route->fd, .gsi = IOAPIC_PINS + index};
    route->bound = route->bound || ioctl(machine->vm_fd, KVM_IRQFD, &irqfd) == 0;
    return route->bound;
}

/* Routes are set when a vector fires, not when the guest writes it: while it boots it writes each many times, and
 * KVM waits for a grace period at each change. */
static void fire(void *opaque, struct virtio_device *device, unsigned vector, uint64_t address, uint32_t data) {
    struct nl_machine *machine = opaque;
    struct kvm_virtio *glue = &machine->kvm_virtio;
    const struct device_glue *own = device->glue;
    pthread_mutex_lock(&glue->lock);
    struct msi_route *route = &glue->routes[own->first_route + vector];
    bool short_way = true;
    if (!route->routed || route->address != address || route->data != data) {
        route->routed = true;
        route->address = address;
        route->data = data;
        short_way = set_routing(machine) == 0 && bind_fd(machine, own->first_route + vector);
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

struct virtio_hooks kvm_virtio_hooks(struct nl_machine *machine) {
    return (struct virtio_hooks){.fire = fire, .notify_at = notify_at, .opaque = machine};
}

int kvm_virtio_connect(struct nl_machine *machine, struct virtio_device *device) {
    struct kvm_virtio *glue = &machine->kvm_virtio;
    unsigned vectors = device->queue_count + 1;
    struct msi_route *routes = realloc(glue->routes, (glue->count + vectors) * sizeof(*routes));
    struct device_glue *own = malloc(sizeof(*own));
    if (routes != NULL)
        glue->routes = routes;
    if (routes == NULL || own == NULL) {
        free(own);
        return -ENOMEM;
    }
    *own = (struct device_glue){.first_route = glue->count, .notify_at = PCI_NOT_DECODED};
    device->glue = own;
    for (unsigned i = 0; i < vectors; i++) {
        struct msi_route *route = &routes[glue->count];
        *route = (struct msi_route){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
        if (route->fd < 0)
            return -errno;
        glue->count++;
    }
    return 0;
}

void kvm_virtio_forget(struct nl_machine *machine) {
    for (unsigned i = 0; i < machine->kvm_virtio.count; i++)
        machine->kvm_virtio.routes[i].routed = machine->kvm_virtio.routes[i].bound = false;
    for (unsigned i = 0; i < machine->virtio.count; i++)
        if (machine->virtio.devices[i]->glue != NULL)
            ((struct device_glue *)machine->virtio.devices[i]->glue)->notify_at = PCI_NOT_DECODED;
}

void kvm_virtio_close(struct nl_machine *machine) {
    for (unsigned i = 0; i < machine->kvm_virtio.count; i++)
        close(machine->kvm_virtio.routes[i].fd);
    free(machine->kvm_virtio.routes);
    for (unsigned i = 0; i < machine->virtio.count; i++)
        free(machine->virtio.devices[i]->glue);
    pthread_mutex_destroy(&machine->kvm_virtio.lock);
}
