# The counting guest: 16-bit real mode, loaded at 0x10000; writes 0, 1, 2 ... as words to port 0x10 without end.
    .code16
    .globl _start
_start:
    xorw %ax, %ax
count:
    outw %ax, $0x10
    incw %ax
    jmp count
