/* vsock's UNIX sockets. A client of ours says "CONNECT <port>\n" and reads "OK <port>\n"; the guest's connections to
 * port N go to the socket <path>_N. The manners are Firecracker's and Cloud Hypervisor's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio/vsock.h"

struct vsock_connection *vsock_find(struct vsock *vsock, uint32_t host_port, uint32_t guest_port) {
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_connection *connection = &vsock->connections[i];
        if (connection->state >= VSOCK_CONNECTING && connection->host_port == host_port &&
            connection->guest_port == guest_port)
            return connection;
    }
    return NULL;
}

/* Takes the descriptor, also when there is no room. */
static struct vsock_connection *add(struct vsock *vsock, int fd, enum vsock_state state) {
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_connection *connection = &vsock->connections[i];
        if (connection->state != VSOCK_FREE)
            continue;
        *connection = (struct vsock_connection){.socket = {fd, vsock_on_socket, connection},
                                                .vsock = vsock,
                                                .state = state,
                                                .readable = true};
        if (loop_add(vsock->device.loop, &connection->socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
            return connection;
        connection->state = VSOCK_FREE;
        connection->socket.fd = -1;
        break;
    }
    close(fd);
    return NULL;
}

struct vsock_connection *vsock_connect(struct vsock *vsock, uint32_t host_port, uint32_t guest_port) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s_%u", vsock->path, host_port);
    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return NULL;
    }
    struct vsock_connection *connection = add(vsock, fd, VSOCK_OPEN);
    if (connection != NULL) {
        connection->host_port = host_port;
        connection->guest_port = guest_port;
    }
    return connection;
}

void vsock_accept(struct vsock *vsock) {
    int fd = accept4(vsock->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        add(vsock, fd, VSOCK_GREETING);
}

void vsock_drop(struct vsock_connection *connection) {
    if (connection->state == VSOCK_FREE)
        return;
    loop_remove(connection->vsock->device.loop, &connection->socket);
    close(connection->socket.fd);
    free(connection->buffer);
    connection->socket.fd = -1;
    connection->buffer = NULL;
    connection->state = VSOCK_FREE;
}

static bool read_port(const char *line, uint32_t *port) {
    static const char command[] = "CONNECT ";
    char *end;
    if (strncmp(line, command, sizeof(command) - 1) != 0)
        return false;
    line += sizeof(command) - 1;
    unsigned long value = strtoul(line, &end, 10);
    *port = (uint32_t)value;
    return *line >= '0' && *line <= '9' && *end == '\0' && value < UINT32_MAX;
}

bool vsock_greet(struct vsock_connection *connection) {
    struct vsock *vsock = connection->vsock;
    for (;;) { /* byte by byte: what follows the line is the guest's */
        char byte;
        ssize_t got = recv(connection->socket.fd, &byte, 1, MSG_DONTWAIT);
        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR);
        if (byte == '\n')
            break;
        if (connection->line_size == VSOCK_LINE - 1)
            return false;
        connection->line[connection->line_size++] = byte;
    }
    connection->line[connection->line_size] = '\0';
    if (!read_port(connection->line, &connection->guest_port))
        return false;
    do
        connection->host_port = ++vsock->next_host_port | 1u << 30; /* away from the ports that services have */
    while (vsock_find(vsock, connection->host_port, connection->guest_port) != NULL);
    connection->state = VSOCK_CONNECTING;
    connection->owes_request = true;
    return true;
}

bool vsock_answer(struct vsock_connection *connection) {
    char line[VSOCK_LINE];
    int length = snprintf(line, sizeof(line), "OK %u\n", connection->host_port);
    connection->state = VSOCK_OPEN;
    return send(connection->socket.fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) == length;
}

/* What went out makes room for the guest; tell it before it has to ask. */
static void account(struct vsock_connection *connection, uint32_t size) {
    connection->taken += size;
    if (connection->taken - connection->told_taken >= VSOCK_BUFFER / 2)
        connection->owes_credit = true;
}

static ssize_t send_now(struct vsock_connection *connection, const uint8_t *data, uint32_t size) {
    ssize_t sent = send(connection->socket.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    account(connection, (uint32_t)sent);
    return sent;
}

bool vsock_give(struct vsock_connection *connection, const uint8_t *data, uint32_t size) {
    if (size > VSOCK_BUFFER - connection->buffer_size)
        return false; /* more than it was allowed */
    if (connection->buffer_size == 0) {
        ssize_t sent = send_now(connection, data, size);
        if (sent < 0)
            return false;
        data += sent;
        size -= (uint32_t)sent;
    }
    if (size == 0)
        return true;
    if (connection->buffer == NULL && (connection->buffer = malloc(VSOCK_BUFFER)) == NULL)
        return false;
    for (uint32_t i = 0; i < size; i++)
        connection->buffer[(connection->buffer_start + connection->buffer_size++) % VSOCK_BUFFER] = data[i];
    return true;
}

bool vsock_flush(struct vsock_connection *connection) {
    while (connection->buffer_size > 0) {
        uint32_t straight = VSOCK_BUFFER - connection->buffer_start;
        uint32_t size = connection->buffer_size < straight ? connection->buffer_size : straight;
        ssize_t sent = send_now(connection, connection->buffer + connection->buffer_start, size);
        if (sent <= 0)
            return sent == 0;
        connection->buffer_start = (connection->buffer_start + (uint32_t)sent) % VSOCK_BUFFER;
        connection->buffer_size -= (uint32_t)sent;
    }
    if (connection->end_from_guest)
        shutdown(connection->socket.fd, SHUT_WR);
    return true;
}
