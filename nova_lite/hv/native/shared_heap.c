/* Python's arenas in one place, on pages that a forked process can go back to sharing.
 *
 * CPython writes to every object that it so much as looks at (reference counts), so that a fork soon has a copy of its
 * own of each page; yet most counts come back to what they were. Here the heap at the time of the forks is the content
 * of a sealed memfd, mapped privately: a copy that equals it again is dropped, and the page is the common one.
 *
 * Called through ctypes.PyDLL, which keeps the GIL: nothing else may touch the arenas meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define PAGE 4096u
#define ARENA ((size_t)1 << 20) /* CPython's since 3.10 */
#define ARENAS 32               /* what there is address space for; more come from anywhere, as usual */
#define ROOM (ARENAS * ARENA)
/* Of an entry of /proc/self/pagemap. */
#define PRESENT (1ull << 63)
#define OF_FILE (1ull << 61)

static uint8_t *base;
static size_t used, shared;
static const uint8_t *common; /* the memfd's content, of which ``shared`` bytes are mapped at ``base`` too */
static void *free_arenas[ARENAS];
static unsigned free_count;

/* A PyObjectArenaAllocator. CPython asks it for threads' stacks of frames too, which are smaller and not for us. */
EXPORTED void *nl_arena_alloc(void *context, size_t size) {
    (void)context;
    if (size == ARENA && free_count > 0)
        return free_arenas[--free_count];
    if (size == ARENA && base == NULL) {
        void *room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room != MAP_FAILED)
            base = room;
    }
    if (size == ARENA && base != NULL && used < ROOM && mprotect(base + used, ARENA, PROT_READ | PROT_WRITE) == 0) {
        used += ARENA;
        return base + used - ARENA;
    }
    void *elsewhere = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return elsewhere == MAP_FAILED ? NULL : elsewhere;
}

EXPORTED void nl_arena_free(void *context, void *arena, size_t size) {
    (void)context;
    uintptr_t at = (uintptr_t)arena;
    /* A place in the room is never given away: whatever is mapped there stays ours. */
    if (base == NULL || at < (uintptr_t)base || at >= (uintptr_t)base + ROOM) {
        munmap(arena, size);
    } else {
        madvise(arena, size, MADV_DONTNEED);
        free_arenas[free_count++] = arena;
    }
}

EXPORTED size_t nl_heap_size(void) {
    return used;
}

static int write_all(int fd, const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* From here on forks share the arenas as they are now. Only in a process of one thread, once. 0 or a negative errno,
 * and then nothing has changed. */
EXPORTED int nl_heap_share(void) {
    int result = 0;
    int fd = memfd_create("nova-lite-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (base == NULL || common != NULL) {
        result = -EBUSY;
    } else if (write_all(fd, base, used) < 0 ||
               fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        result = -errno;
    } else {
        void *content = mmap(NULL, used, PROT_READ, MAP_PRIVATE, fd, 0);
        if (content == MAP_FAILED ||
            mmap(base, used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED) {
            result = -errno;
        } else {
            common = content;
            shared = used;
        }
    }
    close(fd);
    return result;
}

/* Drop the copies that equal the common pages. How many, or a negative errno. */
EXPORTED long nl_heap_give_back(void) {
    uint64_t entries[256];
    long dropped = 0;
    if (common == NULL)
        return 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (size_t at = 0; at < shared; at += sizeof(entries) / sizeof(entries[0]) * PAGE) {
        size_t count = (shared - at) / PAGE < 256 ? (shared - at) / PAGE : 256;
        off_t where = (off_t)((uintptr_t)(base + at) / PAGE * sizeof(entries[0]));
        if (pread(fd, entries, count * sizeof(entries[0]), where) != (ssize_t)(count * sizeof(entries[0]))) {
            dropped = errno != 0 ? -errno : -EIO;
            break;
        }
        for (size_t i = 0; i < count; i++) {
            size_t offset = at + i * PAGE;
            bool copied = (entries[i] & PRESENT) && !(entries[i] & OF_FILE);
            if (copied && memcmp(base + offset, common + offset, PAGE) == 0 &&
                madvise(base + offset, PAGE, MADV_DONTNEED) == 0)
                dropped++;
        }
    }
    close(fd);
    madvise((void *)(uintptr_t)common, shared, MADV_DONTNEED); /* what was compared need not stay mapped twice */
    return dropped;
}
