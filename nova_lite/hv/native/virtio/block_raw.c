/* The plain backend of virtio-blk: a raw image or a block device of the host. No KVM in here. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "virtio/block_backend.h"

struct raw {
    struct block_backend backend;
    int fd;
};

static int perform(struct block_backend *backend, struct block_request *request) {
    int fd = ((struct raw *)backend)->fd;
    switch (request->operation) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return file_transfer(fd, request->operation == BLOCK_WRITE, request->pieces, request->count, request->offset);
    case BLOCK_FLUSH:
        return fdatasync(fd) < 0 ? -errno : 0;
    case BLOCK_DISCARD:
        return file_discard(fd, request->offset, request->size);
    case BLOCK_WRITE_ZEROES:
        return file_zero(fd, request->offset, request->size, request->unmap);
    }
    return -EOPNOTSUPP;
}

static bool place(struct block_backend *backend, const struct block_request *request, struct block_place *place) {
    *place = (struct block_place){.fd = ((struct raw *)backend)->fd, .offset = request->offset};
    return true;
}

static void close_raw(struct block_backend *backend) {
    close(((struct raw *)backend)->fd);
    free(backend);
}

static const struct block_backend_kind kind = {.perform = perform, .place = place, .close = close_raw};

struct block_backend *block_raw_open(int fd) {
    off_t size = lseek(fd, 0, SEEK_END);
    struct raw *raw = size < 0 ? NULL : calloc(1, sizeof(*raw));
    if (raw == NULL)
        return NULL;
    raw->backend = (struct block_backend){.kind = &kind, .size = (uint64_t)size};
    raw->fd = fd;
    return &raw->backend;
}
