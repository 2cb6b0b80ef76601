/* Preloaded by test_cpuid.py: a KVM that refuses the MSR in REFUSED_MSR and every table with the leaf in REFUSED_LEAF. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static uint32_t number(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? UINT32_MAX : (uint32_t)strtoul(text, NULL, 16);
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (real == NULL)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request == KVM_SET_MSRS && ((struct kvm_msrs *)argument)->entries[0].index == number("REFUSED_MSR"))
        return 0; /* as KVM says it: so many were set */
    if (request == KVM_SET_CPUID2) {
        const struct kvm_cpuid2 *table = argument;
        for (uint32_t i = 0; i < table->nent; i++)
            if (table->entries[i].function == number("REFUSED_LEAF")) {
                errno = EINVAL;
                return -1;
            }
    }
    return real(fd, request, argument);
}
