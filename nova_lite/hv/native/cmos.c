/* The clock of the ISA bus (MC146818, ports 0x70 and 0x71): tells the host's time in UTC, keeps the guest's bytes.
 * It gives no interrupts; the ACPI tables promise none. */
#include "devices.h"

#include <string.h>
#include <time.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71

enum {
    CMOS_SECONDS = 0x00,
    CMOS_MINUTES = 0x02,
    CMOS_HOURS = 0x04,
    CMOS_WEEKDAY = 0x06,
    CMOS_DAY = 0x07,
    CMOS_MONTH = 0x08,
    CMOS_YEAR = 0x09,
    CMOS_STATUS_A = 0x0a,
    CMOS_STATUS_B = 0x0b,
    CMOS_STATUS_C = 0x0c,
    CMOS_STATUS_D = 0x0d,
    CMOS_CENTURY = 0x32,
};

#define STATUS_A_DIVIDER 0x26 /* 32.768 kHz; never "update in progress": the time is read at once */
#define STATUS_B_24_HOURS 0x02
#define STATUS_B_BINARY 0x04
#define STATUS_D_VALID 0x80

static uint8_t encoded(const struct cmos *cmos, int value) {
    if (cmos->bytes[CMOS_STATUS_B] & STATUS_B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint8_t hours(const struct cmos *cmos, int hour) {
    if (cmos->bytes[CMOS_STATUS_B] & STATUS_B_24_HOURS)
        return encoded(cmos, hour);
    return (uint8_t)(encoded(cmos, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0));
}

static uint8_t value_of(const struct cmos *cmos, uint8_t index) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    switch (index) {
    case CMOS_SECONDS:
        return encoded(cmos, utc.tm_sec < 60 ? utc.tm_sec : 59);
    case CMOS_MINUTES:
        return encoded(cmos, utc.tm_min);
    case CMOS_HOURS:
        return hours(cmos, utc.tm_hour);
    case CMOS_WEEKDAY:
        return encoded(cmos, utc.tm_wday + 1);
    case CMOS_DAY:
        return encoded(cmos, utc.tm_mday);
    case CMOS_MONTH:
        return encoded(cmos, utc.tm_mon + 1);
    case CMOS_YEAR:
        return encoded(cmos, utc.tm_year % 100);
    case CMOS_CENTURY:
        return encoded(cmos, (utc.tm_year + 1900) / 100);
    case CMOS_STATUS_A:
        return STATUS_A_DIVIDER;
    case CMOS_STATUS_C:
        return 0; /* no interrupt pending, ever */
    case CMOS_STATUS_D:
        return STATUS_D_VALID;
    default:
        return cmos->bytes[index];
    }
}

static uint32_t cmos_read(void *device, uint16_t port, unsigned size) {
    struct cmos *cmos = device;
    (void)size;
    pthread_mutex_lock(&cmos->lock);
    uint8_t value = port == CMOS_DATA ? value_of(cmos, cmos->index) : cmos->index;
    pthread_mutex_unlock(&cmos->lock);
    return value;
}

static void cmos_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct cmos *cmos = device;
    (void)size;
    pthread_mutex_lock(&cmos->lock);
    if (port == CMOS_INDEX)
        cmos->index = value & 0x7f; /* the top bit masks NMIs on a PC, not here */
    else
        cmos->bytes[cmos->index] = (uint8_t)value;
    pthread_mutex_unlock(&cmos->lock);
}

void cmos_init(struct cmos *cmos) {
    pthread_mutex_init(&cmos->lock, NULL);
    cmos_reset(cmos);
}

void cmos_reset(struct cmos *cmos) {
    cmos->index = 0;
    memset(cmos->bytes, 0, sizeof(cmos->bytes));
    cmos->bytes[CMOS_STATUS_B] = STATUS_B_24_HOURS;
}

struct saved_cmos {
    uint8_t index, bytes[128];
};

void cmos_save(struct cmos *cmos, struct saved_state *state) {
    struct saved_cmos saved = {.index = cmos->index};
    memcpy(saved.bytes, cmos->bytes, sizeof(saved.bytes));
    saved_put(state, SAVED_TAG("CMOS"), 0, &saved, sizeof(saved));
}

bool cmos_restore(struct cmos *cmos, const struct saved_state *state) {
    struct saved_cmos saved;
    if (!saved_copy(state, SAVED_TAG("CMOS"), 0, &saved, sizeof(saved)))
        return false;
    cmos->index = saved.index & 0x7f;
    memcpy(cmos->bytes, saved.bytes, sizeof(cmos->bytes));
    return true;
}

const struct pio_device cmos_ports = {
    .first = CMOS_INDEX, .last = CMOS_DATA, .bytewise = true, .read = cmos_read, .write = cmos_write};
