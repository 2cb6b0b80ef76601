/* Dispatch of port and memory-mapped accesses; what nobody claims reads as all ones and is counted. */
#include "bus.h"

#include <string.h>

static const struct pio_device *find_pio(const struct bus *bus, uint16_t port) {
    for (unsigned i = 0; i < bus->pio_count; i++)
        if (port >= bus->pio[i].first && port <= bus->pio[i].last)
            return &bus->pio[i];
    return NULL;
}

bool bus_add_pio(struct bus *bus, const struct pio_device *device) {
    if (bus->pio_count == NL_PIO_DEVICES || device->last < device->first)
        return false;
    for (unsigned i = 0; i < bus->pio_count; i++)
        if (device->first <= bus->pio[i].last && bus->pio[i].first <= device->last)
            return false;
    bus->pio[bus->pio_count++] = *device;
    return true;
}

static void pio_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value) {
    const struct pio_device *device = find_pio(bus, port);
    if (device == NULL) {
        count_shared(&bus->unclaimed_pio_writes, 1);
    } else if (device->bytewise && size > 1) {
        for (unsigned i = 0; i < size; i++)
            pio_write(bus, (uint16_t)(port + i), 1, value >> (8 * i) & 0xff);
    } else {
        device->write(device->device, port, size, value);
    }
}

static uint32_t pio_read(struct bus *bus, uint16_t port, unsigned size) {
    const struct pio_device *device = find_pio(bus, port);
    if (device == NULL) {
        count_shared(&bus->unclaimed_pio_reads, 1);
        return UINT32_MAX;
    }
    if (!device->bytewise || size == 1)
        return device->read(device->device, port, size);
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (pio_read(bus, (uint16_t)(port + i), 1) & 0xff) << (8 * i);
    return value;
}

void bus_pio(struct bus *bus, bool write, uint16_t port, unsigned size, uint32_t count, uint8_t *data) {
    if (size != 1 && size != 2 && size != 4)
        return;
    for (; count > 0; count--, data += size) {
        uint32_t value = 0;
        if (write) {
            memcpy(&value, data, size);
            pio_write(bus, port, size, value);
        } else {
            value = pio_read(bus, port, size);
            memcpy(data, &value, size);
        }
    }
}

bool bus_add_mmio(struct bus *bus, const struct mmio_device *device) {
    if (bus->mmio_count == NL_MMIO_DEVICES || device->size == 0 || device->size - 1 > UINT64_MAX - device->first)
        return false;
    for (unsigned i = 0; i < bus->mmio_count; i++) {
        const struct mmio_device *other = &bus->mmio[i];
        if (device->first <= other->first + (other->size - 1) && other->first <= device->first + (device->size - 1))
            return false;
    }
    bus->mmio[bus->mmio_count++] = *device;
    return true;
}

static const struct mmio_device *find_mmio(const struct bus *bus, uint64_t address, unsigned size) {
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return NULL;
    for (unsigned i = 0; i < bus->mmio_count; i++) {
        const struct mmio_device *device = &bus->mmio[i];
        if (address >= device->first && address - device->first < device->size &&
            device->size - (address - device->first) >= size)
            return device;
    }
    return NULL;
}

void bus_mmio(struct bus *bus, bool write, uint64_t address, unsigned size, uint8_t *data) {
    const struct mmio_device *device = find_mmio(bus, address, size);
    uint64_t value = 0;
    if (device != NULL && write) {
        memcpy(&value, data, size);
        device->write(device->device, address - device->first, size, value);
    } else if (device != NULL) {
        value = device->read(device->device, address - device->first, size);
        memcpy(data, &value, size);
    } else if (write) {
        count_shared(&bus->unclaimed_mmio_writes, 1);
    } else {
        count_shared(&bus->unclaimed_mmio_reads, 1);
        memset(data, 0xff, size <= 8 ? size : 8);
    }
}
