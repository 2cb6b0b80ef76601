/* Preloaded by test_native_kicks.py: holds every KVM_RUN back before it enters the kernel, so that kicks fall there. */
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stddef.h>

#define TURNS 300000 /* some hundred microseconds; no sleep, which a signal would cut short */

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (real == NULL)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request == KVM_RUN)
        for (volatile int turn = 0; turn < TURNS; turn++)
            ;
    return real(fd, request, argument);
}
