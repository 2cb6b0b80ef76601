/* A watchdog timer that resets the machine; there only when the configuration asks for it. No KVM in here. */
#pragma once
#include "devices.h"
#include "virtio/loop.h"

struct watchdog {
    bool present; /* the others do nothing unless it is */
    pthread_mutex_t lock;
    struct loop_source timer;
    struct end_hook end;
    bool running;
    bool fired; /* outlives the reset: the next boot may ask */
    uint32_t periods;
    uint64_t deadline_ns;
    counter pings, expirations;
};

extern const struct pio_device watchdog_ports;

/* 0 or a negative errno; ``watchdog`` must be zeroed. */
int watchdog_init(struct watchdog *watchdog, struct loop *loop, struct end_hook end);
/* As after power-on, but for what it says of the boot before. */
void watchdog_reset(struct watchdog *watchdog);
/* A machine that is paused pings nobody; after the pause it has its whole time again. */
void watchdog_pause(struct watchdog *watchdog);
void watchdog_resume(struct watchdog *watchdog);
void watchdog_save(struct watchdog *watchdog, struct saved_state *state);
bool watchdog_restore(struct watchdog *watchdog, const struct saved_state *state);
void watchdog_close(struct watchdog *watchdog);
