# The interactive guest: 64-bit, on COM1. Says what machine it found, then obeys short commands.
#
# Entered in long mode with the first 4 GiB mapped one to one and %rsi = Linux's boot_params (zero page), of which it
# reads the e820 table. Kept simple: some hosts emulate ring 0 one instruction at a time and know only common ones.

    .set COM1, 0x3f8
    .set LSR, COM1 + 5
    .set POWER_PORT, 0x600
    .set LAPIC_ICR, 0xfee00300
    .set TRAMPOLINE, 0x8000                 # where an AP starts: page number 8 in the SIPI
    .set E820_COUNT, 0x1e8
    .set E820_TABLE, 0x2d0
    .set LINE_MAX, 127

    .text
    .code64
    .globl _start
_start:
    cld
    leaq stack_top(%rip), %rsp
    movq %rsi, %r15                         # boot_params
    call start_other_processors
    call measure_memory
    call enable_input

    leaq banner(%rip), %rsi
    call print
    movzwl TRAMPOLINE + (processors - trampoline), %eax
    call print_number
    leaq banner_memory(%rip), %rsi
    call print
    movl memory_mib(%rip), %eax
    call print_number
    leaq banner_end(%rip), %rsi
    call print

prompt:
    leaq prompt_text(%rip), %rsi
    call print
    call read_line
    cmpb $0, line(%rip)
    je prompt
    leaq commands(%rip), %rbx               # pairs: address of the name, address of the code
next_command:
    movq (%rbx), %rdi
    testq %rdi, %rdi
    jz unknown
    call line_is
    je found_command
    addq $16, %rbx
    jmp next_command
found_command:
    jmp *8(%rbx)

unknown:                                    # not a command: give the line back
    leaq echo_text(%rip), %rsi
    call print
    leaq line(%rip), %rsi
    call print
    leaq echo_hint(%rip), %rsi
    call print
    jmp prompt

do_help:
    leaq help_text(%rip), %rsi
    call print
    jmp prompt

do_poweroff:
    leaq poweroff_text(%rip), %rsi
    call print
    movw $POWER_PORT, %dx
    movb $0x34, %al
    outb %al, %dx
    jmp halt

do_reboot:
    leaq reboot_text(%rip), %rsi
    call print
    movb $0xfe, %al
    outb %al, $0x64
halt:
    cli
    hlt
    jmp halt

do_crash:                                   # an exception without an interrupt table is a triple fault
    leaq crash_text(%rip), %rsi
    call print
    cli
    lidt no_idt(%rip)
    ud2
    jmp halt

do_spin:                                    # busy until a key comes
    leaq spin_text(%rip), %rsi
    call print
spin:
    movl input_head(%rip), %eax
    cmpl input_tail(%rip), %eax
    je spin
    jmp awake

do_idle:                                    # asleep until a key comes
    leaq idle_text(%rip), %rsi
    call print
    call wait_input
awake:
    call next_byte
    leaq awake_text(%rip), %rsi
    call print
    jmp prompt

# --- finding the machine

# Start every other processor (INIT, then SIPI) and wait until as many came as CPUID announces; counted by themselves.
start_other_processors:
    leaq trampoline(%rip), %rsi
    movl $TRAMPOLINE, %edi
    movl $(trampoline_end - trampoline), %ecx
copy_trampoline:
    movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decl %ecx
    jnz copy_trampoline
    movl $1, %eax
    xorl %ecx, %ecx
    cpuid
    shrl $16, %ebx
    andl $0xff, %ebx                        # logical processors; 0 or 1: alone
    cmpl $1, %ebx
    jbe alone
    movl $LAPIC_ICR, %edi
    movl $0x000c4500, (%rdi)                # INIT to all but this one
    movl $0x000c4600 + (TRAMPOLINE >> 12), (%rdi)
    movl $20000000, %ecx                    # gives up on one that never comes
wait_processor:
    movzwl TRAMPOLINE + (processors - trampoline), %eax
    cmpl %ebx, %eax
    jae alone
    decl %ecx
    jnz wait_processor
alone:
    ret

    .code16
trampoline:                                 # runs at 0x800:0 on every other processor
    movw %cs, %ax
    movw %ax, %ds
    lock incw processors - trampoline
rest:
    cli
    hlt
    jmp rest
processors:
    .word 1
trampoline_end:
    .code64

# Add up the usable areas of the e820 table; low memory that a PC sets aside counts as memory too, hence rounding up.
measure_memory:
    movzbl E820_COUNT(%r15), %ecx
    leaq E820_TABLE(%r15), %rsi
    xorq %rax, %rax
    testl %ecx, %ecx
    jz measured
add_area:
    cmpl $1, 16(%rsi)
    jne skip_area
    addq 8(%rsi), %rax
skip_area:
    addq $20, %rsi
    decl %ecx
    jnz add_area
measured:
    addq $0xfffff, %rax
    shrq $20, %rax
    movl %eax, memory_mib(%rip)
    ret

    .include "interactive_com1.S"

    .section .rodata
banner:         .asciz "nova_lite guest: vCPUs="
banner_memory:  .asciz " memory="
banner_end:     .asciz " MiB\r\ntype help for the commands\r\n"
prompt_text:    .asciz "> "
erase_text:     .asciz "\b \b"
end_of_line:    .asciz "\r\n"
echo_text:      .asciz "you said: "
echo_hint:      .asciz "\r\n"
help_text:      .ascii "poweroff  switch the machine off\r\n"
                .ascii "reboot    start it again\r\n"
                .ascii "crash     triple fault\r\n"
                .ascii "spin      keep a processor busy until a key is pressed\r\n"
                .ascii "idle      sleep until a key is pressed\r\n"
                .asciz "help      this list; any other line is given back\r\n"
poweroff_text:  .asciz "switching off\r\n"
reboot_text:    .asciz "starting again\r\n"
crash_text:     .asciz "crashing\r\n"
spin_text:      .asciz "spinning until a key is pressed\r\n"
idle_text:      .asciz "idle until a key is pressed\r\n"
awake_text:     .asciz "awake\r\n"
name_help:      .asciz "help"
name_poweroff:  .asciz "poweroff"
name_reboot:    .asciz "reboot"
name_crash:     .asciz "crash"
name_spin:      .asciz "spin"
name_idle:      .asciz "idle"
    .balign 8
commands:
    .quad name_help, do_help
    .quad name_poweroff, do_poweroff
    .quad name_reboot, do_reboot
    .quad name_crash, do_crash
    .quad name_spin, do_spin
    .quad name_idle, do_idle
    .quad 0, 0
no_idt:
    .word 0
    .quad 0

    .data
    .balign 8
idt_register:
    .word 0x25 * 16 - 1
idt_base:
    .quad 0
number:         .space 10
number_end:     .byte 0

    .bss
    .balign 16
idt:            .space 0x25 * 16
input:          .space 256
line:           .space LINE_MAX + 1
input_head:     .space 4
input_tail:     .space 4
memory_mib:     .space 4
    .balign 16
                .space 2048
stack_top:
