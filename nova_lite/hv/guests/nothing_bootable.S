# What a machine runs whose disk boots nothing: says so on COM1, in the words of its command line, and rests. Twice a
# second it wakes and lets go of every device that the host wants back: disks and cards can be taken from it.
#
# Entered in long mode with the first 4 GiB mapped one to one and %rsi = Linux's boot_params (zero page), which has the
# address of the command line.

    .set COM1, 0x3f8
    .set LSR, COM1 + 5
    .set SENDER_EMPTY, 0x20
    .set CMD_LINE_PTR, 0x228
    .set DOWN, 0x644                        # read: slots whose device the host wants back
    .set EJECT, 0x648                       # write: slots that the guest has let go of
    .set LAPIC, 0xfee00000
    .set VECTOR, 0x20

    .text
    .code64
    .globl _start
_start:
    leaq stack_top(%rip), %rsp
    movl CMD_LINE_PTR(%rsi), %ebx
    testl %ebx, %ebx
    jz said
next_character:
    movb (%rbx), %cl
    testb %cl, %cl
    jz said
    incq %rbx
    cmpb $'\n', %cl
    jne send
    movb $'\r', %ch                         # a terminal wants both
    jmp wait
send:
    xorb %ch, %ch
wait:
    movw $LSR, %dx
    inb %dx, %al
    testb $SENDER_EMPTY, %al
    jz wait
    movw $COM1, %dx
    testb %ch, %ch
    jz last
    movb %ch, %al
    outb %al, %dx
    jmp send
last:
    movb %cl, %al
    outb %al, %dx
    jmp next_character

said:
    leaq on_timer(%rip), %rax
    leaq idt + VECTOR * 16(%rip), %rdi
    movw %ax, (%rdi)
    movw $0x08, 2(%rdi)                     # the loader's code segment
    movw $0x8e00, 4(%rdi)                   # present, interrupt gate
    shrq $16, %rax
    movw %ax, 6(%rdi)
    movl $0, 8(%rdi)                        # we live below 4 GiB
    leaq idt(%rip), %rax
    movq %rax, idt_base(%rip)
    lidt idt_register(%rip)
    movb $0xff, %al                         # nothing from the PICs
    outb %al, $0x21
    outb %al, $0xa1
    movl $LAPIC, %edi
    movl $0x1ff, 0xf0(%rdi)                 # switched on; spurious interrupts at vector 0xff
    movl $0x3, 0x3e0(%rdi)                  # a sixteenth of KVM's 1 GHz
    movl $(0x20000 | VECTOR), 0x320(%rdi)   # again and again
    movl $31250000, 0x380(%rdi)
rest:
    sti
    hlt
    cli
    movw $DOWN, %dx
    inl %dx, %eax
    testl %eax, %eax
    jz rest
    movw $EJECT, %dx
    outl %eax, %dx
    jmp rest

on_timer:
    movl $0, 0xb0(%rdi)                     # done with it
    iretq

    .data
idt_register:
    .word 256 * 16 - 1
idt_base:
    .quad 0

    .bss
    .balign 16
idt:
    .skip 256 * 16
    .skip 4096
stack_top:
