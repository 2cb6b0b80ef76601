/* What the files of virtio_driver share: the machine without KVM, short names, and the tests of the other files. */
#pragma once
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "fake_machine.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define STATUS VIRTIO_PCI_COMMON_STATUS

extern struct fake_machine machine;

void with_rng(void); /* the machine has a virtio-rng device */

static inline uint8_t status(void) {
    return (uint8_t)fake_bar_read(&machine, STATUS, 1);
}

static inline uint32_t port(bool write, uint16_t number, unsigned size, uint32_t value) {
    uint8_t data[4];
    memcpy(data, &value, 4);
    bus_pio(&machine.bus, write, number, size, 1, data);
    memcpy(&value, data, 4);
    return value;
}

void test_block(void);
void test_block_threads(void);
void test_block_by_vcpu(void);
void test_block_rate(void);
void test_block_group(void);
void test_block_without_ring(void);
void test_block_threads_without_ring(void);
void test_block_rate_without_ring(void);
void test_rate_limiter(void);
void test_net_pairs(void);
void test_net_sizes(void);
void test_net_answers(void);
void test_net(void);
void test_vsock(void);
void test_console(void);
void test_watchdog(void);
void test_balloon(void);
void test_slots(void);
void test_remove_block(void);
void test_remove_block_on_threads(void);
void test_remove_net(void);
void test_add_while_paused(void);
