/* The ring file that keeps a VM's latest output; its layout is told in nova_lite/hv/console_log.py. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console_log_header;

struct console_log {
    struct console_log_header *header; /* NULL: no log */
    uint8_t *ring;
    uint64_t capacity;
    uint64_t total;
};

/* Map the ring behind ``fd``. 0, or a negative errno: EINVAL when the file is no ring. */
int console_log_open(struct console_log *log, int fd);
void console_log_close(struct console_log *log);
/* One writer at a time (the console's lock). Only stores to memory: it cannot wait. */
void console_log_write(struct console_log *log, const void *data, size_t size);
/* Whether a reader has said since the last call that it waits for more; one store and one wake-up per wait, however
   much is written. */
bool console_log_wanted(struct console_log *log);
