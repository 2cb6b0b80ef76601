# COM1 for the interactive guest, which includes this: lines in by interrupt, text and numbers out.

# --- input: COM1's receive interrupt (IRQ 4, vector 0x24) fills a ring of 256 bytes

enable_input:
    leaq on_input(%rip), %rax
    leaq idt + 0x24 * 16(%rip), %rdi
    movw %ax, (%rdi)
    movw $0x08, 2(%rdi)                     # the loader's code segment
    movw $0x8e00, 4(%rdi)                   # present, interrupt gate
    shrq $16, %rax
    movw %ax, 6(%rdi)
    movl $0, 8(%rdi)                        # we live below 4 GiB
    leaq idt(%rip), %rax
    movq %rax, idt_base(%rip)
    lidt idt_register(%rip)
    movb $0x11, %al                         # first PIC: edge triggered, four words of set-up
    outb %al, $0x20
    movb $0x20, %al                         # its interrupts begin at vector 0x20
    outb %al, $0x21
    movb $0x04, %al
    outb %al, $0x21
    movb $0x01, %al
    outb %al, $0x21
    movb $0xef, %al                         # all masked but IRQ 4
    outb %al, $0x21
    movw $COM1 + 2, %dx
    movb $0x01, %al                         # FIFOs on
    outb %al, %dx
    movw $COM1 + 4, %dx
    movb $0x0b, %al                         # DTR, RTS, OUT2
    outb %al, %dx
    movw $COM1 + 1, %dx
    movb $0x01, %al                         # interrupt on input
    outb %al, %dx
    sti
    ret

on_input:
    pushq %rax
    pushq %rdx
    pushq %rdi
more_input:
    movw $LSR, %dx
    inb %dx, %al
    testb $1, %al
    jz input_done
    movw $COM1, %dx
    inb %dx, %al
    movl input_head(%rip), %edx
    leaq input(%rip), %rdi
    movb %al, (%rdi,%rdx)
    incl %edx
    andl $0xff, %edx
    cmpl input_tail(%rip), %edx             # full: the byte is lost
    je more_input
    movl %edx, input_head(%rip)
    jmp more_input
input_done:
    movb $0x20, %al
    outb %al, $0x20
    popq %rdi
    popq %rdx
    popq %rax
    iretq

# Sleep until there is input. The interrupt cannot slip in between sti and hlt.
wait_input:
    cli
    movl input_head(%rip), %eax
    cmpl input_tail(%rip), %eax
    jne input_there
    sti
    hlt
    jmp wait_input
input_there:
    sti
    ret

# -> %al
next_byte:
    call wait_input
    movl input_tail(%rip), %edx
    leaq input(%rip), %rdi
    movb (%rdi,%rdx), %al
    incl %edx
    andl $0xff, %edx
    movl %edx, input_tail(%rip)
    ret

# A line without its end into ``line``, echoed while typed; what is too long is cut off.
read_line:
    xorl %ecx, %ecx
read_more:
    call next_byte
    cmpb $'\r', %al
    je line_read
    cmpb $'\n', %al
    je line_read
    cmpb $0x7f, %al
    je erase
    cmpb $0x08, %al
    je erase
    cmpb $' ', %al
    jb read_more
    cmpl $LINE_MAX, %ecx
    jae read_more
    leaq line(%rip), %rdi
    movb %al, (%rdi,%rcx)
    incl %ecx
    call put_byte
    jmp read_more
erase:
    testl %ecx, %ecx
    jz read_more
    decl %ecx
    leaq erase_text(%rip), %rsi
    call print
    jmp read_more
line_read:
    leaq line(%rip), %rdi
    movb $0, (%rdi,%rcx)
    leaq end_of_line(%rip), %rsi
    jmp print

# Is ``line`` the text at %rdi? Flag zero tells.
line_is:
    leaq line(%rip), %rsi
compare:
    movb (%rsi), %al
    cmpb (%rdi), %al
    jne compared
    testb %al, %al
    je compared
    incq %rsi
    incq %rdi
    jmp compare
compared:
    ret

# --- output: the transmitter is always ready in a virtual machine, but a real one would have to be asked

put_byte:
    movb %al, %ah
wait_transmitter:
    movw $LSR, %dx
    inb %dx, %al
    testb $0x20, %al
    jz wait_transmitter
    movb %ah, %al
    movw $COM1, %dx
    outb %al, %dx
    ret

print:                                      # the text at %rsi, up to its zero
    movb (%rsi), %al
    testb %al, %al
    jz printed
    call put_byte
    incq %rsi
    jmp print
printed:
    ret

print_number:                               # %eax in decimal
    leaq number_end(%rip), %rsi
    movl $10, %ecx
digit:
    xorl %edx, %edx
    divl %ecx
    addb $'0', %dl
    decq %rsi
    movb %dl, (%rsi)
    testl %eax, %eax
    jnz digit
    jmp print
