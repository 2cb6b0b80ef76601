/* The watchdog: ports that the ACPI table WDAT describes (nova_lite/hv/vmm/acpi/wdat.py), so that Linux drives it with
 * wdat_wdt, which every Debian kernel has. Once started, it resets the machine unless it is pinged in time. */
#include "watchdog.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONTROL 0x620   /* a byte, 1: runs */
#define PING 0x621      /* a byte, any value written */
#define FIRED 0x622     /* a byte, 1: the last boot ended by it; 0 written clears it */
#define COUNTDOWN 0x624 /* 32 bits, periods from a ping to the reset */
#define LEFT 0x628      /* 32 bits, periods until the reset */
#define LAST_PORT 0x62b
#define PERIOD_NS 100000000ull
#define MOST_PERIODS 0xffffu
#define DEFAULT_PERIODS 300u

static void set_timer(struct watchdog *watchdog, uint64_t deadline_ns) {
    struct itimerspec timer = {.it_value = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                            .tv_nsec = (long)(deadline_ns % 1000000000u)}};
    timerfd_settime(watchdog->timer.fd, TFD_TIMER_ABSTIME, &timer, NULL); /* 0: none */
}

/* With the lock held. */
static void restart(struct watchdog *watchdog) {
    watchdog->deadline_ns = monotonic_ns() + watchdog->periods * PERIOD_NS;
    set_timer(watchdog, watchdog->running ? watchdog->deadline_ns : 0);
}

static void on_timer(void *opaque, uint32_t events) {
    struct watchdog *watchdog = opaque;
    uint64_t count;
    (void)events;
    pthread_mutex_lock(&watchdog->lock);
    /* A ping may have come in between: it has set the timer anew, and nothing is to be read. */
    bool expired = read(watchdog->timer.fd, &count, sizeof(count)) == sizeof(count) && watchdog->running &&
                   monotonic_ns() >= watchdog->deadline_ns;
    if (expired) {
        watchdog->running = false;
        watchdog->fired = true;
        count_shared(&watchdog->expirations, 1);
    }
    pthread_mutex_unlock(&watchdog->lock);
    if (expired)
        watchdog->end.end(watchdog->end.opaque, NL_EVENT_WATCHDOG);
}

static uint32_t periods_left(const struct watchdog *watchdog) {
    uint64_t now = monotonic_ns();
    return watchdog->running && watchdog->deadline_ns > now ? (uint32_t)((watchdog->deadline_ns - now) / PERIOD_NS) : 0;
}

static uint32_t watchdog_read(void *device, uint16_t port, unsigned size) {
    struct watchdog *watchdog = device;
    uint32_t value = 0;
    (void)size;
    pthread_mutex_lock(&watchdog->lock);
    if (port == CONTROL)
        value = watchdog->running;
    else if (port == FIRED)
        value = watchdog->fired;
    else if (port == COUNTDOWN)
        value = watchdog->periods;
    else if (port == LEFT)
        value = periods_left(watchdog);
    pthread_mutex_unlock(&watchdog->lock);
    return value;
}

static void watchdog_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct watchdog *watchdog = device;
    pthread_mutex_lock(&watchdog->lock);
    if (port == CONTROL) {
        watchdog->running = value & 1;
        restart(watchdog);
    } else if (port == PING) {
        count_shared(&watchdog->pings, 1);
        restart(watchdog);
    } else if (port == FIRED) {
        watchdog->fired = watchdog->fired && (value & 1);
    } else if (port == COUNTDOWN && size == 4) {
        watchdog->periods = value < 1 ? 1 : value > MOST_PERIODS ? MOST_PERIODS : value;
        restart(watchdog);
    }
    pthread_mutex_unlock(&watchdog->lock);
}

const struct pio_device watchdog_ports = {
    .first = CONTROL, .last = LAST_PORT, .read = watchdog_read, .write = watchdog_write};

int watchdog_init(struct watchdog *watchdog, struct loop *loop, struct end_hook end) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    pthread_mutex_init(&watchdog->lock, NULL);
    watchdog->timer = (struct loop_source){.fd = fd, .ready = on_timer, .opaque = watchdog};
    watchdog->end = end;
    watchdog->periods = DEFAULT_PERIODS;
    int result = loop_add(loop, &watchdog->timer, EPOLLIN);
    watchdog->present = result == 0;
    if (result < 0) {
        close(fd);
        pthread_mutex_destroy(&watchdog->lock);
    }
    return result;
}

void watchdog_reset(struct watchdog *watchdog) {
    if (!watchdog->present)
        return;
    pthread_mutex_lock(&watchdog->lock);
    watchdog->running = false;
    watchdog->periods = DEFAULT_PERIODS;
    set_timer(watchdog, 0);
    pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_pause(struct watchdog *watchdog) {
    if (!watchdog->present)
        return;
    pthread_mutex_lock(&watchdog->lock);
    set_timer(watchdog, 0);
    pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_resume(struct watchdog *watchdog) {
    if (!watchdog->present)
        return;
    pthread_mutex_lock(&watchdog->lock);
    restart(watchdog);
    pthread_mutex_unlock(&watchdog->lock);
}

struct saved_watchdog {
    uint32_t running, fired, periods;
};

void watchdog_save(struct watchdog *watchdog, struct saved_state *state) {
    struct saved_watchdog saved = {watchdog->running, watchdog->fired, watchdog->periods};
    if (watchdog->present)
        saved_put(state, SAVED_TAG("WDOG"), 0, &saved, sizeof(saved));
}

/* Its time begins anew with the resume, as after any pause. */
bool watchdog_restore(struct watchdog *watchdog, const struct saved_state *state) {
    struct saved_watchdog saved;
    if (!watchdog->present)
        return true;
    if (!saved_copy(state, SAVED_TAG("WDOG"), 0, &saved, sizeof(saved)) || saved.periods < 1 ||
        saved.periods > MOST_PERIODS)
        return false;
    watchdog->running = saved.running;
    watchdog->fired = saved.fired;
    watchdog->periods = saved.periods;
    return true;
}

void watchdog_close(struct watchdog *watchdog) {
    if (!watchdog->present)
        return;
    close(watchdog->timer.fd);
    pthread_mutex_destroy(&watchdog->lock);
    watchdog->present = false;
}
