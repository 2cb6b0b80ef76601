/* What is written to a disk, as far as Python asks for it. (block_log.c takes note.) */
#include <errno.h>

#include "machine.h"
#include "virtio/block.h"

static struct block *find(struct nl_machine *machine, uint32_t number) {
    struct virtio_device *device = machine_device(machine, number);
    return device == NULL ? NULL : block_of(device);
}

int nl_machine_log_disk(struct nl_machine *machine, uint32_t number, int32_t on, struct nl_error *error) {
    struct block *block = find(machine, number);
    if (block == NULL)
        return fail(error, ENODEV, "find the disk");
    if (!on) {
        block_log_stop(block);
        return 0;
    }
    int result = block_log_start(block);
    return result < 0 ? fail(error, -result, "make room for what is written") : result;
}

int64_t nl_machine_take_disk_log(struct nl_machine *machine, uint32_t number, uint64_t *words, uint64_t room,
                                 struct nl_error *error) {
    struct block *block = find(machine, number);
    if (block == NULL)
        return fail(error, ENODEV, "find the disk");
    int64_t count = block_log_take(block, words, room);
    return count < 0 ? fail(error, (int)-count, "tell what was written") : count;
}
