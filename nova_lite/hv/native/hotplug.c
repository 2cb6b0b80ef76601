/* Devices that come and go while the guest is on, as far as Python asks for it: the host wants one back, the guest lets go of
 * it, the host takes it away. (They come by add_devices.c.) */
#include <errno.h>

#include "machine.h"

struct virtio_device *machine_device(struct nl_machine *machine, uint32_t number) {
    for (unsigned i = 0; i < machine->virtio.count; i++)
        if (machine->virtio.devices[i]->number == number)
            return machine->virtio.devices[i];
    return NULL;
}

void hotplug_ejected(void *opaque) {
    struct nl_event event = {.kind = NL_EVENT_EJECT};
    machine_report(opaque, &event);
}

int nl_machine_request_removal(struct nl_machine *machine, uint32_t number, struct nl_error *error) {
    int state = atomic_load(&machine->state);
    if (machine_device(machine, number) == NULL)
        return fail(error, ENODEV, "find the device");
    if (state != NL_RUNNING && state != NL_PAUSED)
        return -EBUSY;
    atomic_fetch_or(&machine->virtio.pci.down, 1u << number);
    return kvm_pulse_hotplug(machine, error);
}

uint32_t nl_machine_ejected(struct nl_machine *machine) {
    return atomic_load(&machine->virtio.pci.ejected);
}

int nl_machine_remove(struct nl_machine *machine, uint32_t number, struct nl_error *error) {
    struct virtio_device *device = machine_device(machine, number);
    int state = atomic_load(&machine->state);
    if (device == NULL)
        return fail(error, ENODEV, "find the device");
    /* Of a paused machine nothing may change, and threads that wait at its gate could not end. */
    if (state != NL_RUNNING && state != NL_CREATED && state != NL_STOPPED)
        return -EBUSY;
    int result = machine_hold(machine, error);
    if (result < 0)
        return result;
    if (machine->console == device)
        machine->console = NULL;
    if (machine->balloon == device)
        machine->balloon = NULL;
    result = virtio_set_remove(&machine->virtio, device);
    machine_let_go(machine);
    return result < 0 ? fail(error, -result, "start the devices' thread again") : 0;
}
