# What a machine runs whose disk boots nothing: says so on COM1, in the words of its command line, and halts.
#
# Entered in long mode with the first 4 GiB mapped one to one and %rsi = Linux's boot_params (zero page), which has the
# address of the command line. Without a stack: it calls nothing.

    .set COM1, 0x3f8
    .set LSR, COM1 + 5
    .set SENDER_EMPTY, 0x20
    .set CMD_LINE_PTR, 0x228

    .text
    .code64
    .globl _start
_start:
    movl CMD_LINE_PTR(%rsi), %ebx
    testl %ebx, %ebx
    jz halt
next_character:
    movb (%rbx), %cl
    testb %cl, %cl
    jz halt
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

halt:
    cli
    hlt
    jmp halt
