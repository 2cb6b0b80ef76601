/* Runs in the guest: asynchronous direct I/O on a block device in phases of a fixed number of requests.
 *
 * For each phase two lines: "bench: begin NAME", "bench: end NAME NANOSECONDS". System calls by number: a static
 * program with no library but libc. Usage: linux_block_guest DEVICE
 * REQUESTS_AT_DEPTH_1 REQUESTS_AT_DEPTH_32 REQUESTS_OF_256_KIB */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_phase.h"

#define DEPTH_MAX 32

static const struct phase {
    const char *name;
    bool write, random;
    unsigned depth;
    size_t size;
} phases[] = {
    {"randread_qd1", false, true, 1, 4096},       {"randwrite_qd1", true, true, 1, 4096},
    {"randread_qd32", false, true, 32, 4096},     {"randwrite_qd32", true, true, 32, 4096},
    {"seqread_256k", false, false, 4, 256 << 10}, {"seqwrite_256k", true, false, 4, 256 << 10},
};

static void submit(aio_context_t context, int fd, const struct phase *phase, uint64_t blocks, unsigned long number,
                   struct iocb *request) {
    static uint64_t state = 88172645463325252u; /* xorshift64: the same places for every VMM */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    uint64_t block = (phase->random ? state : number) % blocks;
    request->aio_fildes = (uint32_t)fd;
    request->aio_lio_opcode = phase->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    request->aio_nbytes = phase->size;
    request->aio_offset = (int64_t)(block * phase->size);
    request->aio_data = (uintptr_t)request;
    if (syscall(SYS_io_submit, context, 1L, &request) != 1)
        fail("io_submit");
}

static void run(int fd, const struct phase *phase, uint64_t bytes, unsigned long requests) {
    struct iocb slots[DEPTH_MAX] = {0};
    struct io_event events[DEPTH_MAX];
    aio_context_t context = 0;
    unsigned long begun = 0, ended = 0;
    if (syscall(SYS_io_setup, DEPTH_MAX, &context) != 0)
        fail("io_setup");
    for (unsigned i = 0; i < phase->depth; i++) {
        void *buffer;
        if (posix_memalign(&buffer, 4096, phase->size) != 0)
            fail("posix_memalign");
        memset(buffer, (int)i, phase->size);
        slots[i].aio_buf = (uintptr_t)buffer;
    }
    int64_t start = phase_begin(phase->name);
    for (; begun < phase->depth && begun < requests; begun++)
        submit(context, fd, phase, bytes / phase->size, begun, &slots[begun]);
    while (ended < requests) {
        long count = syscall(SYS_io_getevents, context, 1L, (long)DEPTH_MAX, events, NULL);
        if (count < 0)
            fail("io_getevents");
        for (long i = 0; i < count; i++, ended++) {
            if (events[i].res != (int64_t)phase->size) {
                fprintf(stderr, "%s: a request ended with %lld\n", phase->name, (long long)events[i].res);
                exit(1);
            }
            if (begun < requests)
                submit(context, fd, phase, bytes / phase->size, begun++, (struct iocb *)(uintptr_t)events[i].data);
        }
    }
    phase_end(phase->name, start);
    syscall(SYS_io_destroy, context);
    for (unsigned i = 0; i < phase->depth; i++)
        free((void *)(uintptr_t)slots[i].aio_buf);
}

int main(int count, char **arguments) {
    uint64_t bytes = 0;
    if (count != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = open(arguments[1], O_RDWR | O_DIRECT);
    if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) != 0)
        fail(arguments[1]);
    unsigned long alone = strtoul(arguments[2], NULL, 10), deep = strtoul(arguments[3], NULL, 10);
    unsigned long large = strtoul(arguments[4], NULL, 10);
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
        run(fd, &phases[i], bytes, !phases[i].random ? large : phases[i].depth == 1 ? alone : deep);
    return 0;
}
