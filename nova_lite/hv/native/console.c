/* Console output: kept in the ring, offered to a descriptor, timed once. */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interface.h"

/* An own open file description, so that O_NONBLOCK is not forced on whoever else holds the descriptor. */
static int open_copy(struct console *console, int fd) {
    struct stat status;
    char path[32];
    if (fstat(fd, &status) < 0)
        return -errno;
    console->copy_is_socket = S_ISSOCK(status.st_mode);
    int copy = -1;
    if (!console->copy_is_socket) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        copy = open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
    }
    if (copy < 0) /* a socket, or a file that may not be opened again: poll guards the write instead */
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return -errno;
    console->copy_fd = copy;
    return 0;
}

int console_init(struct console *console, int log_fd, int copy_fd, int output_eventfd) {
    pthread_mutex_init(&console->lock, NULL);
    console->copy_fd = console->output_eventfd = -1;
    console->log.header = NULL;
    int result = log_fd < 0 ? 0 : console_log_open(&console->log, log_fd);
    if (result == 0 && copy_fd >= 0)
        result = open_copy(console, copy_fd);
    if (result == 0 && output_eventfd >= 0) {
        console->output_eventfd = fcntl(output_eventfd, F_DUPFD_CLOEXEC, 0);
        if (console->output_eventfd < 0)
            result = -errno;
    }
    if (result < 0)
        console_close(console);
    return result;
}

void console_close(struct console *console) {
    console_log_close(&console->log);
    if (console->copy_fd >= 0)
        close(console->copy_fd);
    if (console->output_eventfd >= 0)
        close(console->output_eventfd);
    console->copy_fd = console->output_eventfd = -1;
    pthread_mutex_destroy(&console->lock);
}

/* The kernel's pipe, socket or terminal buffer is the bounded buffer; one attempt, no waiting. */
static void copy_out(struct console *console, const void *data, size_t size) {
    struct pollfd ready = {.fd = console->copy_fd, .events = POLLOUT};
    ssize_t taken = -1;
    if (console->copy_is_socket)
        taken = send(console->copy_fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
        taken = write(console->copy_fd, data, size);
    if (taken < 0)
        taken = 0;
    if ((size_t)taken < size)
        count_shared(&console->copy_dropped, size - (size_t)taken);
}

void console_write(struct console *console, const void *data, size_t size) {
    uint8_t reason[NL_EVENT_BYTES];
    uint32_t reason_size = 0;
    bool panicked = false;
    pthread_mutex_lock(&console->lock);
    stamp_once(&console->first_output_ns);
    console_log_write(&console->log, data, size);
    if (console->output_eventfd >= 0 && console_log_wanted(&console->log))
        eventfd_write(console->output_eventfd, 1);
    if (console->copy_fd >= 0)
        copy_out(console, data, size);
    for (size_t i = 0; i < size; i++)
        panicked |= panic_watch_byte(&console->panic_watch, ((const uint8_t *)data)[i], reason, sizeof(reason), &reason_size);
    pthread_mutex_unlock(&console->lock);
    count_shared(&console->bytes, size);
    if (panicked && console->on_panic != NULL)
        console->on_panic(console->opaque, reason, reason_size);
}
