/* Overlays for the fuzzer: a sound one, and one whose file is the input. */
#pragma once
#include "input.h"
#include "virtio/block_backend.h"

struct block_backend *overlay_of_size(uint64_t size, uint64_t base_size);
/* NULL when the file is refused. */
struct block_backend *overlay_of(struct input *input);
/* After the device is gone: no base was written to. */
void overlay_check(void);
