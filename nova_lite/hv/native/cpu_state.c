/* What a vCPU looks like before its first instruction: MSRs, real mode, protected mode, long mode; and after its last. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

#define GDT_ADDRESS 0x500
#define PML4_ADDRESS 0x9000
#define PDPT_ADDRESS 0xa000
#define PD_ADDRESS 0xb000 /* four tables: the first 4 GiB in pages of 2 MiB */
#define PAGE_TABLES_END 0xf000
#define PAGE_PRESENT_WRITABLE 0x03
#define PAGE_LARGE 0x80

#define CR0_PE 0x1
#define CR0_ET 0x10
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER_LME 0x100
#define EFER_LMA 0x400

#define RESET_SEGMENT 0xffff0000
#define RESET_RIP 0xfff0

#define MSR_IA32_MISC_ENABLE 0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff

static void set_msr(struct nl_machine *machine, struct vcpu *vcpu, uint32_t index, uint64_t value) {
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};
    /* One at a time: KVM stops at the first it refuses. None of them is worth refusing the guest for. */
    if (ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 1) {
        count_shared(&machine->msrs_refused, 1);
        atomic_store(&machine->last_msr_refused, index);
    }
}

int cpu_set_identity(struct nl_machine *machine, struct vcpu *vcpu, struct nl_error *error) {
    int result = cpu_set_cpuid(machine, vcpu, error);
    if (result < 0)
        return result;
    set_msr(machine, vcpu, MSR_IA32_MISC_ENABLE, 1);  /* fast string operations */
    set_msr(machine, vcpu, MSR_MTRR_DEF_TYPE, 0x806); /* MTRRs on, write-back by default */
    return 0;
}

static int set_registers(struct vcpu *vcpu, const struct kvm_sregs *sregs, const struct kvm_regs *regs,
                         struct nl_error *error) {
    struct kvm_fpu fpu = {.fcw = 0x37f, .mxcsr = 0x1f80};
    if (ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0)
        return fail(error, errno, "set the vCPU's segments");
    if (ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0)
        return fail(error, errno, "set the vCPU's registers");
    if (ioctl(vcpu->fd, KVM_SET_FPU, &fpu) < 0)
        return fail(error, errno, "set the vCPU's floating point unit");
    return 0;
}

/* The boot processor takes the old controllers' interrupts through its LAPIC, as firmware would set it up. */
static int wire_local_apic(struct vcpu *vcpu, struct nl_error *error) {
    struct kvm_lapic_state apic;
    const uint32_t external = 0x700, nmi = 0x400;
    if (ioctl(vcpu->fd, KVM_GET_LAPIC, &apic) < 0)
        return fail(error, errno, "read the vCPU's interrupt controller");
    memcpy(apic.regs + 0x350, &external, sizeof(external));
    memcpy(apic.regs + 0x360, &nmi, sizeof(nmi));
    if (ioctl(vcpu->fd, KVM_SET_LAPIC, &apic) < 0)
        return fail(error, errno, "set the vCPU's interrupt controller");
    return 0;
}

int cpu_set_real_mode(struct nl_machine *machine, uint64_t address, struct nl_error *error) {
    struct vcpu *vcpu = &machine->vcpus[0];
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rflags = 2, .rsp = 0xfff0};
    if (address % 16 != 0 || address >= 1u << 20 || memory_at(&machine->memory, address, 1) == NULL)
        return fail(error, EINVAL, "start in real mode at this address");
    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return fail(error, errno, "read the vCPU's segments");
    struct kvm_segment *segments[] = {&sregs.cs, &sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss};
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        segments[i]->base = address;
        segments[i]->selector = (uint16_t)(address >> 4);
    }
    int result = set_registers(vcpu, &sregs, &regs, error);
    return result < 0 ? result : wire_local_apic(vcpu, error);
}

static int write_tables(struct nl_machine *machine, struct nl_error *error) {
    static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x008f8b000000ffff};
    uint64_t *tables = (uint64_t *)memory_at(&machine->memory, PML4_ADDRESS, PAGE_TABLES_END - PML4_ADDRESS);
    if (tables == NULL || !memory_write(&machine->memory, GDT_ADDRESS, gdt, sizeof(gdt)))
        return fail(error, EINVAL, "find room for page tables in so little memory");
    memset(tables, 0, PAGE_TABLES_END - PML4_ADDRESS);
    tables[0] = PDPT_ADDRESS | PAGE_PRESENT_WRITABLE;
    uint64_t *pdpt = tables + 512, *pd = tables + 1024;
    for (uint64_t i = 0; i < 4; i++)
        pdpt[i] = (PD_ADDRESS + i * 4096) | PAGE_PRESENT_WRITABLE;
    for (uint64_t i = 0; i < 4 * 512; i++)
        pd[i] = i << 21 | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
    return 0;
}

int cpu_set_long_mode(struct nl_machine *machine, uint64_t entry, uint64_t rsi, uint64_t stack,
                      struct nl_error *error) {
    struct vcpu *vcpu = &machine->vcpus[0];
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = entry, .rsi = rsi, .rsp = stack, .rflags = 2};
    int result = write_tables(machine, error);
    if (result < 0)
        return result;
    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return fail(error, errno, "read the vCPU's segments");
    struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 0x8, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 0x10, .type = 0x3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_segment task = {.limit = 0xfffff, .selector = 0x18, .type = 0xb, .present = 1, .g = 1};
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.tr = task;
    sregs.gdt = (struct kvm_dtable){.base = GDT_ADDRESS, .limit = 4 * 8 - 1};
    sregs.idt = (struct kvm_dtable){0};
    sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
    sregs.cr3 = PML4_ADDRESS;
    sregs.cr4 = CR4_PAE;
    sregs.efer = EFER_LME | EFER_LMA;
    result = set_registers(vcpu, &sregs, &regs, error);
    return result < 0 ? result : wire_local_apic(vcpu, error);
}

/* Xen, docs/misc/pvh.html: paging off, flat segments, ebx points to the start info; Linux's PVH entry expects it so. */
int cpu_set_pvh(struct nl_machine *machine, uint64_t entry, uint64_t start_info, struct nl_error *error) {
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00008b0000000067};
    struct vcpu *vcpu = &machine->vcpus[0];
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = entry, .rbx = start_info, .rflags = 2};
    if (entry > UINT32_MAX || start_info > UINT32_MAX ||
        !memory_write(&machine->memory, GDT_ADDRESS, gdt, sizeof(gdt)))
        return fail(error, EINVAL, "start in protected mode at this address");
    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return fail(error, errno, "read the vCPU's segments");
    struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 0x8, .type = 0xb, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 0x10, .type = 0x3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_segment task = {.limit = 0x67, .selector = 0x18, .type = 0xb, .present = 1};
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.tr = task;
    sregs.gdt = (struct kvm_dtable){.base = GDT_ADDRESS, .limit = 4 * 8 - 1};
    sregs.idt = (struct kvm_dtable){0};
    sregs.cr0 = CR0_PE | CR0_ET;
    sregs.cr3 = sregs.cr4 = sregs.efer = 0;
    int result = set_registers(vcpu, &sregs, &regs, error);
    return result < 0 ? result : wire_local_apic(vcpu, error);
}

void cpu_describe(struct vcpu *vcpu, struct nl_event *event) {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return;
    /* As after power-on: kvm-amd resets a vCPU before it tells of its shutdown. Where it was is lost. */
    if (sregs.cs.base == RESET_SEGMENT && regs.rip == RESET_RIP)
        return;
    event->rip = regs.rip;
    /* An instruction has at most 15 bytes. The guest's page tables are walked byte by byte: a page may end inside. */
    for (uint32_t i = 0; i < 15; i++) {
        struct kvm_translation where = {.linear_address = sregs.cs.base + regs.rip + i};
        if (ioctl(vcpu->fd, KVM_TRANSLATE, &where) < 0 || !where.valid ||
            !memory_read(&vcpu->machine->memory, where.physical_address, &event->bytes[i], 1))
            return;
        event->size = i + 1;
    }
}
