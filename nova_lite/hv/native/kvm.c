/* Builds the VM in KVM: interrupt controllers, memory slots, vCPUs; takes it down again. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define KVM_API 12
#define TSS_ADDRESS 0xfffbd000ul           /* three pages Intel needs, in the hole below 4 GiB */
#define IDENTITY_MAP_ADDRESS 0xfffbc000ull /* one more, for real mode on old Intel processors */
#define COM1_GSI 4
#define POWER_BUTTON_GSI 5 /* nova_lite/hv/vmm/acpi has it as the event device's interrupt */
#define HOTPLUG_GSI 6      /* likewise */
#define MSI_ADDRESS 0xfee00000u
#define MSI_DELIVER_NMI 0x400u

static int check_host(struct nl_machine *machine, struct nl_error *error) {
    static const int needed[] = {KVM_CAP_IRQCHIP, KVM_CAP_USER_MEMORY, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_EXT_CPUID,
                                 KVM_CAP_SET_TSS_ADDR};
    int version = ioctl(machine->kvm_fd, KVM_GET_API_VERSION, 0);
    if (version < 0)
        return fail(error, errno, "ask /dev/kvm for its version");
    if (version != KVM_API)
        return fail(error, ENOTSUP, "use this version of the KVM interface");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, needed[i]) <= 0)
            return fail(error, ENOTSUP, "find a needed KVM capability");
    int most = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
    if (most > 0 && machine->vcpu_count > (uint32_t)most)
        return fail(error, E2BIG, "make so many vCPUs");
    int size = ioctl(machine->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return fail(error, size < 0 ? errno : EPROTO, "ask for the size of the run structure");
    machine->run_size = (size_t)size;
    return 0;
}

static int create_vm(struct nl_machine *machine, struct nl_error *error) {
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;
    do
        machine->vm_fd = ioctl(machine->kvm_fd, KVM_CREATE_VM, 0);
    while (machine->vm_fd < 0 && errno == EINTR);
    if (machine->vm_fd < 0)
        return fail(error, errno, "create the VM");
    if (ioctl(machine->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
        return fail(error, errno, "place the identity map");
    if (ioctl(machine->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0)
        return fail(error, errno, "place the task state segment");
    for (unsigned i = 0; i < machine->memory.count; i++) {
        const struct memory_region *region = &machine->memory.regions[i];
        struct kvm_userspace_memory_region slot = {.slot = i,
                                                   .guest_phys_addr = region->start,
                                                   .memory_size = region->size,
                                                   .userspace_addr = (uintptr_t)region->host};
        if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
            return fail(error, errno, "give the VM its memory");
    }
    /* After the memory: a slot set later waits for the grace period that the controllers' ports begin (10 ms). */
    if (ioctl(machine->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return fail(error, errno, "create the interrupt controllers");
    return 0;
}

static int create_vcpu(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error) {
    vcpu->fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, (unsigned long)topology_apic_id(&machine->topology, vcpu->index));
    if (vcpu->fd < 0)
        return fail(error, errno, "create a vCPU");
    void *run = mmap(NULL, machine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED)
        return fail(error, errno, "map a vCPU's run structure");
    vcpu->run = run;
    return cpu_set_identity(machine, vcpu, error);
}

int kvm_build(struct nl_machine *machine, struct nl_error *error) {
    int result = check_host(machine, error);
    if (result == 0)
        result = create_vm(machine, error);
    for (uint32_t i = 0; result == 0 && i < machine->vcpu_count; i++)
        result = create_vcpu(machine, &machine->vcpus[i], error);
    if (result < 0)
        kvm_tear_down(machine);
    return result;
}

void kvm_tear_down(struct nl_machine *machine) {
    for (uint32_t i = 0; i < machine->vcpu_count; i++) {
        struct vcpu *vcpu = &machine->vcpus[i];
        if (vcpu->run != NULL)
            munmap(vcpu->run, machine->run_size);
        if (vcpu->fd >= 0)
            close(vcpu->fd);
        vcpu->run = NULL;
        vcpu->fd = -1;
    }
    if (machine->vm_fd >= 0)
        close(machine->vm_fd);
    machine->vm_fd = -1;
    kvm_virtio_forget(machine);
}

void kvm_set_irq(void *opaque, int level) {
    struct nl_machine *machine = opaque;
    struct kvm_irq_level irq = {.irq = COM1_GSI, .level = (uint32_t)level};
    ioctl(machine->vm_fd, KVM_IRQ_LINE, &irq);
}

static int pulse(struct nl_machine *machine, uint32_t gsi, struct nl_error *error, const char *step) {
    for (int level = 1; level >= 0; level--) {
        struct kvm_irq_level irq = {.irq = gsi, .level = (uint32_t)level};
        if (ioctl(machine->vm_fd, KVM_IRQ_LINE, &irq) < 0)
            return fail(error, errno, step);
    }
    return 0;
}

int kvm_pulse_power_button(struct nl_machine *machine, struct nl_error *error) {
    return pulse(machine, POWER_BUTTON_GSI, error, "press the power button");
}

int kvm_pulse_hotplug(struct nl_machine *machine, struct nl_error *error) {
    return pulse(machine, HOTPLUG_GSI, error, "tell the guest of a slot");
}

int kvm_nmi(struct nl_machine *machine, struct nl_error *error) {
    /* As a message: KVM_NMI belongs to the vCPU and would wait until its thread leaves the guest. */
    for (uint32_t i = 0; i < machine->vcpu_count; i++) {
        uint32_t id = topology_apic_id(&machine->topology, i);
        struct kvm_msi message = {.address_lo = MSI_ADDRESS | id << 12, .data = MSI_DELIVER_NMI};
        if (ioctl(machine->vm_fd, KVM_SIGNAL_MSI, &message) < 0)
            return fail(error, errno, "send a non-maskable interrupt");
    }
    return 0;
}
