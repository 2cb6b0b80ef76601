/* What holds the data of a virtio-blk device: a raw file, or anything else that does as much. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES };

/* Offset and size are bytes on the disk, multiples of 512, checked against its size. The list of pieces is the
 * request's own; what they point to is the guest's and changes under the backend's eyes: it is data, nothing else. */
struct block_request {
    enum block_operation operation;
    bool unmap; /* of BLOCK_WRITE_ZEROES: the space may be given back */
    uint64_t offset, size;
    struct iovec *pieces; /* of BLOCK_READ and BLOCK_WRITE, ``size`` bytes together */
    unsigned count;
};

/* Where all of a request's bytes lie, one after another. */
struct block_place {
    int fd;
    uint64_t offset;
};

struct block_backend;

/* Each hook may be called by several threads at once, for requests that overlap as well: the guest gets what it asks
 * for then, but nothing of the backend's own may break. None is called after ``close``. */
struct block_backend_kind {
    /* Do the request to its end, however long that takes; it may use up ``pieces``, not what they point to. 0 or a
     * negative errno; -EOPNOTSUPP becomes VIRTIO_BLK_S_UNSUPP, any other VIRTIO_BLK_S_IOERR. A discard may be left
     * undone; zeroes must come. A flush: what was written before it began outlives the host's end. */
    int (*perform)(struct block_backend *backend, struct block_request *request);
    /* The short way for a BLOCK_READ or BLOCK_WRITE that is one transfer from or to a file and changes nothing else:
     * say where, and it is done from there, without ``perform``, as soon as this returns or a while later. Must not
     * wait for anything. False: by ``perform``. NULL: always. A transfer that goes wrong is done again by ``perform``. */
    bool (*place)(struct block_backend *backend, const struct block_request *request, struct block_place *place);
    /* The machine is paused or has stopped, nothing is under way: get what the backend kept in memory into its files. 0 or
     * a negative errno. NULL: it keeps nothing. */
    int (*settle)(struct block_backend *backend);
    /* Nothing is under way any more: settle, close the files, free the backend. */
    void (*close)(struct block_backend *backend);
};

/* The first member of a backend's own struct. */
struct block_backend {
    const struct block_backend_kind *kind;
    uint64_t size; /* of the disk in bytes; what is beyond the last whole sector does not count */
};

/* block_raw.c: the disk's bytes are the file's. Takes ``fd``, a regular file or a block device, opened as it shall be
 * used (O_DIRECT or not); NULL, with errno set and ``fd`` untouched, when it has no size or there is no memory. */
struct block_backend *block_raw_open(int fd);

/* block_overlay.c: a copy-on-write overlay in the file ``fd`` over ``base_fd``, opened for reading, or -1. Takes both as
 * block_raw_open takes its file; NULL as well, with EINVAL, when the configuration does not go with the file. */
struct nl_overlay_config;
struct block_backend *block_overlay_open(int fd, int base_fd, const struct nl_overlay_config *config);

/* block_file.c, for every backend on files; each 0 or a negative errno. */
/* All of the pieces, which are used up, however often the host moves less; memory that O_DIRECT refuses included. */
int file_transfer(int fd, bool write, struct iovec *pieces, unsigned count, uint64_t offset);
/* Zeroes there, as holes if ``unmap``. */
int file_zero(int fd, uint64_t offset, uint64_t size, bool unmap);
/* Give the space back, where that can be done. */
int file_discard(int fd, uint64_t offset, uint64_t size);
