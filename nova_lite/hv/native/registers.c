/* The registers of a vCPU that does not run, for a dump. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

#define MSR_KERNEL_GS_BASE 0xc0000102

/* The attributes as the upper half of a descriptor has them. */
static struct nl_segment_register segment(const struct kvm_segment *s) {
    uint32_t attributes = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 | (uint32_t)s->dpl << 13 |
                          (uint32_t)s->present << 15 | (uint32_t)s->avl << 20 | (uint32_t)s->l << 21 |
                          (uint32_t)s->db << 22 | (uint32_t)s->g << 23;
    return (struct nl_segment_register){
        .base = s->base, .limit = s->limit, .selector = s->selector, .attributes = attributes};
}

static struct nl_segment_register table(const struct kvm_dtable *t) {
    return (struct nl_segment_register){.base = t->base, .limit = t->limit};
}

int nl_machine_registers(struct nl_machine *machine, uint32_t index, struct nl_registers *registers,
                         struct nl_error *error) {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head.nmsrs = 1, .entry.index = MSR_KERNEL_GS_BASE};
    int state = atomic_load(&machine->state);
    if (state != NL_PAUSED && (state != NL_STOPPED || machine->vm_fd < 0)) /* a running vCPU would make us wait */
        return -EBUSY;
    if (index >= machine->vcpu_count)
        return fail(error, EINVAL, "find this vCPU");
    int fd = machine->vcpus[index].fd;
    struct kvm_mp_state activity = {.mp_state = KVM_MP_STATE_RUNNABLE};
    if (ioctl(fd, KVM_GET_REGS, &regs) < 0 || ioctl(fd, KVM_GET_SREGS, &sregs) < 0)
        return fail(error, errno, "read the vCPU's registers");
    ioctl(fd, KVM_GET_MSRS, &msrs); /* refused: stays 0 */
    if (ioctl(fd, KVM_GET_MP_STATE, &activity) < 0)
        return fail(error, errno, "ask whether the vCPU runs");
    *registers = (struct nl_registers){
        .general = {regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rsp, regs.rbp, regs.r8, regs.r9,
                    regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, regs.rip, regs.rflags},
        .segments = {segment(&sregs.cs), segment(&sregs.ds), segment(&sregs.es), segment(&sregs.fs),
                     segment(&sregs.gs), segment(&sregs.ss), segment(&sregs.ldt), segment(&sregs.tr),
                     table(&sregs.gdt), table(&sregs.idt)},
        .control = {sregs.cr0, 0, sregs.cr2, sregs.cr3, sregs.cr4},
        .kernel_gs_base = msrs.entry.data,
        .halted = activity.mp_state != KVM_MP_STATE_RUNNABLE,
    };
    return 0;
}
