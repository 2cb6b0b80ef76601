/* Both ends of the network benchmark: TCP streams and a ping-pong, a fixed amount of each.
 *
 * On the host: linux_net_program serve ADDRESS PORT: does for each connection what its first byte asks for.
 * In the guest: linux_net_program ADDRESS PORT MEBIBYTES ROUND_TRIPS: for each phase two lines, "bench: begin NAME" and
 * "bench: end NAME NANOSECONDS". A static program with no library but libc. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux_phase.h"

#define BLOCK (256u << 10)

/* What the guest does: it sends to the host, receives from it, or takes turns with it byte by byte. */
enum { SEND = 'S', RECEIVE = 'R', TURNS = 'T' };
struct order {
    uint8_t phase;
    uint8_t unused[7];
    uint64_t amount;
};

static uint8_t block[BLOCK];

static void send_all(int fd, uint64_t bytes) {
    while (bytes > 0) {
        ssize_t done = write(fd, block, bytes < BLOCK ? bytes : BLOCK);
        if (done <= 0)
            fail("write");
        bytes -= (uint64_t)done;
    }
}

static void receive_all(int fd, uint64_t bytes) {
    while (bytes > 0) {
        ssize_t done = read(fd, block, bytes < BLOCK ? bytes : BLOCK);
        if (done <= 0)
            fail("read");
        bytes -= (uint64_t)done;
    }
}

/* One end's part: the receiver of a stream says with a byte that it has all. */
static void play(int fd, uint8_t phase, uint64_t amount, int guest) {
    if (phase == TURNS) {
        for (uint64_t i = 0; i < 2 * amount; i++)
            if ((i % 2 == 0) == guest)
                send_all(fd, 1);
            else
                receive_all(fd, 1);
    } else if ((phase == SEND) == guest) {
        send_all(fd, amount);
        receive_all(fd, 1);
    } else {
        receive_all(fd, amount);
        send_all(fd, 1);
    }
}

static int tcp(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return fd;
}

static void serve(const struct sockaddr_in *address) {
    int listener = tcp();
    if (bind(listener, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(listener, 1) < 0)
        fail("listen");
    for (;;) {
        struct order order;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            fail("accept");
        if (read(fd, &order, sizeof(order)) == sizeof(order))
            play(fd, order.phase, order.amount, 0);
        close(fd);
    }
}

static void run(const struct sockaddr_in *address, const char *name, uint8_t phase, uint64_t amount) {
    struct order order = {.phase = phase, .amount = amount};
    int fd = tcp();
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        fail("connect");
    int64_t start = phase_begin(name);
    if (write(fd, &order, sizeof(order)) != sizeof(order))
        fail("write");
    play(fd, phase, amount, 1);
    phase_end(name, start);
    close(fd);
}

int main(int count, char **arguments) {
    int serves = count == 4 && strcmp(arguments[1], "serve") == 0;
    if (!serves && count != 5)
        return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2 + serves]))};
    inet_pton(AF_INET, arguments[1 + serves], &address.sin_addr);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (serves)
        serve(&address);
    uint64_t bytes = strtoull(arguments[3], NULL, 10) << 20, turns = strtoull(arguments[4], NULL, 10);
    run(&address, "warm_up", SEND, bytes / 16 + 1);
    run(&address, "guest_to_host", SEND, bytes);
    run(&address, "host_to_guest", RECEIVE, bytes);
    run(&address, "round_trips", TURNS, turns);
    return 0;
}
