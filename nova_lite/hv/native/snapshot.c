/* A paused machine as bytes, and a new one made of them. Guest memory goes by itself (dump.c, guest_ram.c). */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define FORMAT 1u

struct about {
    uint32_t format, vcpus;
    uint64_t memory;
};

static const uint32_t chips[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC};
#define CHIPS (sizeof(chips) / sizeof(chips[0]))

static int save_kvm(struct nl_machine *machine, struct saved_state *state, struct nl_error *error) {
    struct kvm_clock_data clock = {0};
    for (uint32_t i = 0; i < CHIPS; i++) {
        struct kvm_irqchip chip = {.chip_id = chips[i]};
        if (ioctl(machine->vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
            return fail(error, errno, "read the interrupt controllers");
        saved_put(state, SAVED_TAG("CHIP"), i, &chip, sizeof(chip));
    }
    if (ioctl(machine->vm_fd, KVM_GET_CLOCK, &clock) < 0)
        return fail(error, errno, "read the guest's clock");
    saved_put(state, SAVED_TAG("CLCK"), 0, &clock, sizeof(clock));
    return 0;
}

static int restore_kvm(struct nl_machine *machine, const struct saved_state *state, struct nl_error *error) {
    struct kvm_clock_data saved, clock = {0};
    for (uint32_t i = 0; i < CHIPS; i++) {
        struct kvm_irqchip chip;
        if (!saved_copy(state, SAVED_TAG("CHIP"), i, &chip, sizeof(chip)) || chip.chip_id != chips[i])
            return fail(error, EINVAL, "find the interrupt controllers");
        if (ioctl(machine->vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
            return fail(error, errno, "set the interrupt controllers");
    }
    if (!saved_copy(state, SAVED_TAG("CLCK"), 0, &saved, sizeof(saved)))
        return fail(error, EINVAL, "find the guest's clock");
    clock.clock = saved.clock; /* it goes on where it stood; what day it is the guest asks the RTC */
    return ioctl(machine->vm_fd, KVM_SET_CLOCK, &clock) < 0 ? fail(error, errno, "set the guest's clock") : 0;
}

int nl_machine_save(struct nl_machine *machine, uint8_t **data, size_t *size, struct nl_error *error) {
    struct saved_state state = {0};
    struct about about = {FORMAT, machine->vcpu_count, machine->memory_config.size};
    if (atomic_load(&machine->state) != NL_PAUSED)
        return -EBUSY;
    saved_put(&state, SAVED_TAG("ABOU"), 0, &about, sizeof(about));
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < machine->vcpu_count; i++)
        result = cpu_save(machine, &machine->vcpus[i], &state, error);
    if (result == 0)
        result = save_kvm(machine, &state, error);
    if (result == 0) {
        devices_save(&machine->devices, &state);
        watchdog_save(&machine->watchdog, &state);
        virtio_set_save(&machine->virtio, &state);
        if (state.incomplete)
            result = fail(error, ENOMEM, "keep the machine's state");
    }
    if (result < 0) {
        saved_free(&state);
        return result;
    }
    *data = state.data;
    *size = state.size;
    return 0;
}

void nl_saved_free(uint8_t *data) {
    free(data);
}

int nl_machine_restore(struct nl_machine *machine, const uint8_t *data, size_t size, struct nl_error *error) {
    const struct saved_state state = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    struct about about;
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    if (!saved_copy(&state, SAVED_TAG("ABOU"), 0, &about, sizeof(about)) || about.format != FORMAT)
        return fail(error, EINVAL, "read the saved state: it is of another version, or damaged");
    if (about.vcpus != machine->vcpu_count || about.memory != machine->memory_config.size)
        return fail(error, EINVAL, "fit the saved state to a machine with so many vCPUs and so much memory");
    /* The application processors' states depend on no other's, but an INIT on its way is the boot processor's doing. */
    int result = restore_kvm(machine, &state, error);
    for (uint32_t i = 0; result == 0 && i < machine->vcpu_count; i++)
        result = cpu_restore(machine, &machine->vcpus[i], &state, error);
    if (result < 0)
        return result;
    if (!devices_restore(&machine->devices, &state) || !watchdog_restore(&machine->watchdog, &state))
        return fail(error, EINVAL, "find the state of the serial port, the clock or the watchdog");
    if (!virtio_set_restore(&machine->virtio, &state))
        return fail(error, EINVAL, "fit the saved state to the devices of this machine");
    machine->mode_set = true;
    return 0;
}

int nl_machine_load_memory(struct nl_machine *machine, int32_t fd, uint64_t offset, struct nl_error *error) {
    uint8_t *host = machine->memory.regions[0].host;
    uint64_t size = machine->memory_config.size, done = 0;
    if (atomic_load(&machine->state) != NL_CREATED)
        return -EBUSY;
    while (done < size) {
        off_t data = lseek(fd, (off_t)(offset + done), SEEK_DATA);
        if (data < 0 && errno == ENXIO) /* nothing but a hole to the end */
            return 0;
        if (data < 0 || (uint64_t)data >= offset + size)
            return data < 0 ? fail(error, errno, "read guest memory") : 0;
        off_t hole = lseek(fd, data, SEEK_HOLE);
        done = (uint64_t)data - offset;
        uint64_t end = hole < 0 || (uint64_t)hole > offset + size ? size : (uint64_t)hole - offset;
        while (done < end) {
            ssize_t part = pread(fd, host + done, end - done, (off_t)(offset + done));
            if (part < 0 && errno == EINTR)
                continue;
            if (part <= 0)
                return fail(error, part < 0 ? errno : EIO, "read guest memory");
            done += (uint64_t)part;
        }
    }
    return 0;
}
