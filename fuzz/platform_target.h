/* The fuzz targets that are no single virtio device: PCI configuration and MSI-X, the serial port, the other ports, and devices that come
 * and go. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when ``kind`` is none of them. */
bool platform_input(const char *kind, const uint8_t *data, size_t size);
