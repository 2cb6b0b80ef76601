/* How a device ends the machine: after the call the calling vCPU must not run the guest again. */
#pragma once
#include "interface.h"

struct end_hook {
    void (*end)(void *opaque, enum nl_event_kind kind);
    void *opaque;
};
