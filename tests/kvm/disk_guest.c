/* A guest without a kernel that counts its boots on its first disk: sector 2048 holds the count, which it reads, raises,
 * writes and flushes by virtio-blk on PCI; then it says on COM1 what it found and halts. It reads READ_MIB of
 * the disk first, and at last writes WRITE_MIB from 2 MiB on, WRITE_PASSES times, with the number of the pass 8 bytes behind
 * the beginning of each 64 KiB; what the device refuses ends that. Entered in long mode with
 * the first 4 GiB mapped one to one. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define ECAM 0xe0000000ul
#define COM1 0x3f8
#define SECTOR 2048
#define QUEUE_SIZE 16
#define CHUNK 65536

__asm__(".globl _start\n_start: leaq stack_top(%rip), %rsp\n cld\n call run\n1: cli\n hlt\n jmp 1b\n"
        ".bss\n.balign 16\n.skip 8192\nstack_top:\n.text\n");

struct descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
};
static struct descriptor descriptors[QUEUE_SIZE] __attribute__((aligned(4096)));
static volatile struct {
    u16 flags, index, ring[QUEUE_SIZE], event;
} available __attribute__((aligned(4096)));
static volatile struct {
    u16 flags, index;
    struct {
        u32 id, length;
    } ring[QUEUE_SIZE];
    u16 event;
} used __attribute__((aligned(4096)));
static struct {
    u32 type, reserved;
    u64 sector;
} header __attribute__((aligned(16)));
static volatile u8 status;
static u8 data[CHUNK] __attribute__((aligned(4096)));
static volatile u16 *bell;

static void put(char c) {
    u8 line;
    do
        __asm__ volatile("inb %w1, %0" : "=a"(line) : "d"(COM1 + 5));
    while (!(line & 0x20));
    __asm__ volatile("outb %0, %w1" : : "a"(c), "d"(COM1));
}

static void say(const char *text) {
    while (*text)
        put(*text++);
}

static void say_number(u64 number) {
    if (number >= 10)
        say_number(number / 10);
    put('0' + (char)(number % 10));
}

static u32 config(u32 device, u32 offset) {
    return *(volatile u32 *)(ECAM + ((u64)device << 15) + offset);
}

static u64 bar(u32 device, u32 number) {
    u32 low = config(device, 0x10 + 4 * number);
    u64 high = (low & 6) == 4 ? config(device, 0x14 + 4 * number) : 0;
    return (low & ~15u) | high << 32;
}

/* Asks for one request of so many bytes and waits for its end; says so if the device refuses, and returns 0. */
static int request(u32 type, u64 sector, u32 length) {
    u32 last = 1;
    header.type = type;
    header.sector = sector;
    status = 0xff;
    descriptors[0] = (struct descriptor){(u64)&header, 16, 1, 1};
    if (length) {
        descriptors[1] = (struct descriptor){(u64)data, length, type == 0 ? 3 : 1, 2};
        last = 2;
    }
    descriptors[last] = (struct descriptor){(u64)&status, 1, 2, 0};
    available.ring[available.index % QUEUE_SIZE] = 0;
    __asm__ volatile("" ::: "memory");
    available.index++;
    __asm__ volatile("mfence" ::: "memory");
    *bell = 0;
    while (used.index != available.index)
        __asm__ volatile("pause" ::: "memory");
    if (status != 0) {
        say("request refused with status ");
        say_number(status);
        say("\n");
    }
    return status == 0;
}

static int start(u32 device) {
    volatile u8 *common = 0;
    u64 notify = 0;
    u32 multiplier = 0;
    for (u32 at = config(device, 0x34) & 0xfc; at; at = config(device, at) >> 8 & 0xfc) {
        u32 head = config(device, at);
        if ((head & 0xff) != 9)
            continue;
        u64 place = bar(device, config(device, at + 4) & 0xff) + config(device, at + 8);
        if (head >> 24 == 1)
            common = (volatile u8 *)place;
        if (head >> 24 == 2) {
            notify = place;
            multiplier = config(device, at + 16);
        }
    }
    if (!common || !notify)
        return 0;
    *(volatile u32 *)(ECAM + ((u64)device << 15) + 4) |= 6; /* memory, bus master */
    common[20] = 0;
    common[20] = 3;
    *(volatile u32 *)(common + 8) = 1;
    *(volatile u32 *)(common + 12) = 1; /* VIRTIO_F_VERSION_1 */
    *(volatile u32 *)(common + 8) = 0;
    *(volatile u32 *)(common + 12) = 1 << 9; /* VIRTIO_BLK_F_FLUSH */
    common[20] = 11;
    *(volatile u16 *)(common + 22) = 0;
    *(volatile u16 *)(common + 24) = QUEUE_SIZE;
    u64 rings[3] = {(u64)descriptors, (u64)&available, (u64)&used};
    for (u32 i = 0; i < 3; i++) {
        *(volatile u32 *)(common + 32 + 8 * i) = (u32)rings[i];
        *(volatile u32 *)(common + 36 + 8 * i) = (u32)(rings[i] >> 32);
    }
    bell = (volatile u16 *)(notify + (u64)*(volatile u16 *)(common + 30) * multiplier);
    *(volatile u16 *)(common + 28) = 1;
    common[20] = 15;
    return 1;
}

void run(void) {
    for (u32 device = 0; device < 32; device++) {
        if (config(device, 0) != 0x10421af4)
            continue;
        if (!start(device))
            break;
        for (u64 sector = 0; sector != READ_MIB * 2048ul; sector += CHUNK / 512)
            request(0, sector, CHUNK);
        request(0, 0, 512);
        data[15] = 0;
        say("disk begins with ");
        say((const char *)data);
        request(0, SECTOR, 512);
        u64 boots = ++*(u64 *)data;
        request(1, SECTOR, 512);
        request(4, 0, 0);
        say(", boots ");
        say_number(boots);
        say("\n");
        for (u64 pass = 1; pass <= WRITE_PASSES; pass++) {
            ((u64 *)data)[1] = pass;
            for (u64 sector = 4096; sector != 4096 + WRITE_MIB * 2048ul; sector += CHUNK / 512)
                if (!request(1, sector, CHUNK))
                    return;
        }
        say("all is written\n");
        return;
    }
    say("no disk\n");
}
