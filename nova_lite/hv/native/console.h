/* Where console output goes: the ring file, and a copy to a descriptor if there is one. No KVM in here. */
#pragma once
#include <pthread.h>
#include <stddef.h>

#include "console_log.h"
#include "counter.h"
#include "panic_watch.h"

struct console {
    pthread_mutex_t lock;
    struct console_log log;
    int copy_fd; /* -1: none */
    int copy_is_socket;
    int output_eventfd; /* -1: none */
    counter bytes;
    counter first_output_ns;
    counter copy_dropped;
    struct panic_watch panic_watch;
    /* Called outside of the lock when the guest's kernel says that it has panicked; NULL: nobody asks. */
    void (*on_panic)(void *opaque, const uint8_t *reason, uint32_t size);
    void *opaque;
};

/* Each descriptor may be -1; all stay the caller's. ``output_eventfd`` wakes who waits for the ring to grow
   (console_log_wanted). 0 or a negative errno. */
int console_init(struct console *console, int log_fd, int copy_fd, int output_eventfd);
void console_close(struct console *console);
/* Never waits for a reader: what the copy's reader does not take at once is dropped and counted. */
void console_write(struct console *console, const void *data, size_t size);
