/* The plain loop that bench/vcpu_loop.py measures against: KVM_RUN and a counter, the same VM, nothing else.
 *
 * Usage: baseline GUEST SECONDS; prints "exits wall_ns cpu_ns". */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MEMORY (16u << 20)
#define LOAD 0x10000
#define CHECK_EVERY 1000 /* exits between two looks at the clock */

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int must(int result, const char *step) {
    if (result < 0) {
        perror(step);
        exit(1);
    }
    return result;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    int kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
    int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    must(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000ul), "KVM_SET_TSS_ADDR");
    must(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
    int memory_fd = must(memfd_create("baseline", 0), "memfd_create");
    must(ftruncate(memory_fd, MEMORY), "ftruncate");
    uint8_t *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    int guest = must(open(argv[1], O_RDONLY), argv[1]);
    must((int)read(guest, memory + LOAD, 65536), "read the guest");
    struct kvm_userspace_memory_region slot = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
    must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
    int vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    int size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    struct kvm_sregs sregs;
    must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = LOAD;
    sregs.cs.selector = LOAD >> 4;
    must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    struct kvm_regs regs = {.rflags = 2};
    must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");

    uint64_t exits = 0, start = now(CLOCK_MONOTONIC), start_cpu = now(CLOCK_THREAD_CPUTIME_ID);
    uint64_t end = start + (uint64_t)(atof(argv[2]) * 1e9);
    do {
        for (int i = 0; i < CHECK_EVERY; i++) {
            must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
            if (run->exit_reason != KVM_EXIT_IO)
                return 3;
            exits++;
        }
    } while (now(CLOCK_MONOTONIC) < end);
    printf("%llu %llu %llu\n", (unsigned long long)exits, (unsigned long long)(now(CLOCK_MONOTONIC) - start),
           (unsigned long long)(now(CLOCK_THREAD_CPUTIME_ID) - start_cpu));
    return 0;
}
