/* Which parts of a disk have been written since somebody asked last, so that it can be copied while the guest goes on: a
 * bit for each part. A bit is set when a write has ended: who takes the bits and then copies the parts misses nothing that
 * had ended before, and is told of the rest the next time. No KVM in here. */
#include <errno.h>
#include <stdlib.h>

#include "virtio/block.h"

#define SMALLEST_PART_BITS 16
#define MOST_PARTS (1ull << 19) /* 64 KiB of bits, whatever the disk's size */

int block_log_start(struct block *block) {
    uint64_t size = block->sectors << 9;
    unsigned part_bits = SMALLEST_PART_BITS;
    while (size >> part_bits >= MOST_PARTS)
        part_bits++;
    if (block->written == NULL) {
        uint64_t words = ((size >> part_bits) >> 6) + 1;
        _Atomic uint64_t *written = calloc(words, sizeof(*written));
        if (written == NULL)
            return -ENOMEM;
        block->written = written; /* until the device goes: a thread may be about to set a bit at any time */
        block->written_words = words;
        block->part_bits = part_bits;
    }
    for (uint64_t word = 0; word < block->written_words; word++)
        atomic_store(&block->written[word], 0);
    atomic_store(&block->logged, true);
    return (int)part_bits;
}

void block_log_stop(struct block *block) {
    atomic_store(&block->logged, false);
}

void block_log_note(struct block *block, const struct block_request *request) {
    if (!atomic_load_explicit(&block->logged, memory_order_acquire) || request->size == 0 ||
        request->operation == BLOCK_READ || request->operation == BLOCK_FLUSH)
        return;
    uint64_t last = (request->offset + request->size - 1) >> block->part_bits;
    for (uint64_t part = request->offset >> block->part_bits; part <= last; part++)
        atomic_fetch_or(&block->written[part >> 6], 1ull << (part & 63));
}

int64_t block_log_take(struct block *block, uint64_t *words, uint64_t room) {
    if (!atomic_load(&block->logged))
        return -ENODATA;
    for (uint64_t word = 0; word < block->written_words && word < room; word++)
        words[word] = atomic_exchange(&block->written[word], 0);
    return (int64_t)block->written_words;
}
