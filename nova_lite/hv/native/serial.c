/* COM1: a 16550A with FIFOs, loopback and interrupts. Registers: National's PC16550D data sheet (1995), table II. */
#include <string.h>

#include "devices.h"

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define COM1_BASE 0x3f8
#define IER_RX 0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IIR_NONE 0x01
#define IIR_THRE 0x02
#define IIR_RX 0x04
#define IIR_LINE 0x06
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB 0x80
#define MCR_LOOP 0x10
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_THRE_TEMT 0x60
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

static uint8_t interrupt_id(const struct serial *serial) {
    if ((serial->ier & IER_LINE) && serial->overrun)
        return IIR_LINE;
    if ((serial->ier & IER_RX) && serial->fifo_size > 0)
        return IIR_RX;
    if ((serial->ier & IER_THRE) && serial->thre_pending)
        return IIR_THRE;
    return IIR_NONE;
}

static void update_irq(struct serial *serial) {
    int level = interrupt_id(serial) != IIR_NONE;
    if (level != serial->irq_level) {
        serial->irq_level = level;
        serial->irq.set(serial->irq.opaque, level);
    }
}

static unsigned fifo_capacity(const struct serial *serial) {
    return serial->fcr & FCR_ENABLE ? SERIAL_FIFO_SIZE : 1;
}

static void fifo_push(struct serial *serial, uint8_t byte) {
    if (serial->fifo_size >= fifo_capacity(serial)) {
        serial->overrun = true;
        count_shared(&serial->overruns, 1);
        return;
    }
    serial->fifo[(serial->fifo_start + serial->fifo_size++) % SERIAL_FIFO_SIZE] = byte;
}

/* In loopback the receiver is cut off from the line, so the host's input waits. */
static void refill(struct serial *serial) {
    if (serial->mcr & MCR_LOOP)
        return;
    while (serial->backlog_size > 0 && serial->fifo_size < fifo_capacity(serial)) {
        fifo_push(serial, serial->backlog[serial->backlog_start]);
        serial->backlog_start = (serial->backlog_start + 1) % SERIAL_BACKLOG_SIZE;
        serial->backlog_size--;
    }
}

static uint8_t receive(struct serial *serial) {
    if (serial->fifo_size == 0)
        return 0;
    uint8_t byte = serial->fifo[serial->fifo_start];
    serial->fifo_start = (serial->fifo_start + 1) % SERIAL_FIFO_SIZE;
    serial->fifo_size--;
    if (serial->fifo_size == 0) {
        /* What waits behind arrives as if later: the line falls first, or an edge-triggered controller misses it. */
        update_irq(serial);
        refill(serial);
    }
    return byte;
}

static void transmit(struct serial *serial, uint8_t byte) {
    if (serial->mcr & MCR_LOOP) {
        fifo_push(serial, byte);
    } else {
        console_write(serial->console, &byte, 1);
        count_shared(&serial->bytes_out, 1);
    }
    /* The line falls and rises again, so that an edge-triggered controller sees the transmitter become empty. */
    serial->thre_pending = false;
    update_irq(serial);
    serial->thre_pending = true;
}

static uint8_t modem_status(const struct serial *serial) {
    if (!(serial->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((serial->mcr & 0x02 ? MSR_CTS : 0) | (serial->mcr & 0x01 ? MSR_DSR : 0) |
                     (serial->mcr & 0x04 ? MSR_RI : 0) | (serial->mcr & 0x08 ? MSR_DCD : 0));
}

static void write_fcr(struct serial *serial, uint8_t value) {
    /* Turning the FIFOs on or off empties them, as on the chip. */
    if ((value & FCR_CLEAR_RX) || ((value ^ serial->fcr) & FCR_ENABLE))
        serial->fifo_size = 0;
    serial->fcr = value & FCR_ENABLE ? value : 0;
    refill(serial);
}

static void serial_write(void *device, uint16_t port, unsigned size, uint32_t wide) {
    struct serial *serial = device;
    uint8_t value = (uint8_t)wide;
    (void)size;
    pthread_mutex_lock(&serial->lock);
    switch (port - COM1_BASE) {
    case RBR_THR_DLL:
        if (serial->lcr & LCR_DLAB)
            serial->divisor[0] = value;
        else
            transmit(serial, value);
        break;
    case IER_DLM:
        if (serial->lcr & LCR_DLAB) {
            serial->divisor[1] = value;
        } else {
            /* Switching the transmitter's interrupt on reports an empty transmitter at once. */
            if ((value & IER_THRE) && !(serial->ier & IER_THRE))
                serial->thre_pending = true;
            serial->ier = value & 0x0f;
        }
        break;
    case IIR_FCR:
        write_fcr(serial, value);
        break;
    case LCR:
        serial->lcr = value;
        break;
    case MCR:
        serial->mcr = value & 0x1f;
        refill(serial);
        break;
    case SCR:
        serial->scratch = value;
        break;
    default: /* LSR and MSR are for reading */
        break;
    }
    update_irq(serial);
    pthread_mutex_unlock(&serial->lock);
}

static uint32_t serial_read(void *device, uint16_t port, unsigned size) {
    struct serial *serial = device;
    uint8_t value = 0;
    (void)size;
    pthread_mutex_lock(&serial->lock);
    switch (port - COM1_BASE) {
    case RBR_THR_DLL:
        value = serial->lcr & LCR_DLAB ? serial->divisor[0] : receive(serial);
        break;
    case IER_DLM:
        value = serial->lcr & LCR_DLAB ? serial->divisor[1] : serial->ier;
        break;
    case IIR_FCR:
        value = interrupt_id(serial);
        if (value == IIR_THRE)
            serial->thre_pending = false;
        value |= serial->fcr & FCR_ENABLE ? IIR_FIFOS : 0;
        break;
    case LCR:
        value = serial->lcr;
        break;
    case MCR:
        value = serial->mcr;
        break;
    case LSR:
        value = (uint8_t)(LSR_THRE_TEMT | (serial->fifo_size > 0 ? LSR_DR : 0) | (serial->overrun ? LSR_OE : 0));
        serial->overrun = false;
        break;
    case MSR:
        value = modem_status(serial);
        break;
    case SCR:
        value = serial->scratch;
        break;
    }
    update_irq(serial);
    pthread_mutex_unlock(&serial->lock);
    return value;
}

/* What the host has sent and the guest has not read goes along: the guest is not to notice. */
struct saved_serial {
    uint8_t ier, fcr, lcr, mcr, scratch, divisor[2], overrun, thre_pending, irq_level;
    uint8_t fifo_size, fifo[SERIAL_FIFO_SIZE];
    uint16_t backlog_size;
    uint8_t backlog[SERIAL_BACKLOG_SIZE];
};

void serial_save(struct serial *serial, struct saved_state *state) {
    struct saved_serial saved;
    memset(&saved, 0, sizeof(saved));
    pthread_mutex_lock(&serial->lock);
    saved.ier = serial->ier;
    saved.fcr = serial->fcr;
    saved.lcr = serial->lcr;
    saved.mcr = serial->mcr;
    saved.scratch = serial->scratch;
    memcpy(saved.divisor, serial->divisor, sizeof(saved.divisor));
    saved.overrun = serial->overrun;
    saved.thre_pending = serial->thre_pending;
    saved.irq_level = (uint8_t)serial->irq_level;
    saved.fifo_size = (uint8_t)serial->fifo_size;
    for (unsigned i = 0; i < serial->fifo_size; i++)
        saved.fifo[i] = serial->fifo[(serial->fifo_start + i) % SERIAL_FIFO_SIZE];
    saved.backlog_size = (uint16_t)serial->backlog_size;
    for (unsigned i = 0; i < serial->backlog_size; i++)
        saved.backlog[i] = serial->backlog[(serial->backlog_start + i) % SERIAL_BACKLOG_SIZE];
    pthread_mutex_unlock(&serial->lock);
    saved_put(state, SAVED_TAG("COM1"), 0, &saved, sizeof(saved));
}

bool serial_restore(struct serial *serial, const struct saved_state *state) {
    struct saved_serial saved;
    if (!saved_copy(state, SAVED_TAG("COM1"), 0, &saved, sizeof(saved)) || saved.fifo_size > SERIAL_FIFO_SIZE ||
        saved.backlog_size > SERIAL_BACKLOG_SIZE)
        return false;
    pthread_mutex_lock(&serial->lock);
    serial->ier = saved.ier;
    serial->fcr = saved.fcr;
    serial->lcr = saved.lcr;
    serial->mcr = saved.mcr;
    serial->scratch = saved.scratch;
    memcpy(serial->divisor, saved.divisor, sizeof(serial->divisor));
    serial->overrun = saved.overrun;
    serial->thre_pending = saved.thre_pending;
    serial->irq_level = saved.irq_level; /* the interrupt controllers know of it: they were restored as well */
    serial->fifo_start = serial->backlog_start = 0;
    serial->fifo_size = saved.fifo_size;
    memcpy(serial->fifo, saved.fifo, sizeof(serial->fifo));
    serial->backlog_size = saved.backlog_size;
    memcpy(serial->backlog, saved.backlog, sizeof(serial->backlog));
    pthread_mutex_unlock(&serial->lock);
    return true;
}

const struct pio_device serial_ports = {
    .first = COM1_BASE, .last = COM1_BASE + 7, .bytewise = true, .read = serial_read, .write = serial_write};

void serial_init(struct serial *serial, struct console *console, struct irq_line irq) {
    pthread_mutex_init(&serial->lock, NULL);
    serial->console = console;
    serial->irq = irq;
    serial_reset(serial);
}

void serial_reset(struct serial *serial) {
    pthread_mutex_lock(&serial->lock);
    serial->ier = serial->fcr = serial->lcr = serial->mcr = serial->scratch = 0;
    serial->divisor[0] = 12; /* 9600 baud */
    serial->divisor[1] = 0;
    serial->overrun = serial->thre_pending = false;
    serial->irq_level = 0; /* the interrupt controllers are new as well */
    serial->fifo_size = serial->backlog_size = 0;
    pthread_mutex_unlock(&serial->lock);
}

size_t serial_input(struct serial *serial, const uint8_t *data, size_t size) {
    size_t taken = 0;
    pthread_mutex_lock(&serial->lock);
    while (taken < size && serial->backlog_size < SERIAL_BACKLOG_SIZE) {
        serial->backlog[(serial->backlog_start + serial->backlog_size++) % SERIAL_BACKLOG_SIZE] = data[taken++];
        refill(serial);
    }
    count_shared(&serial->bytes_in, taken);
    update_irq(serial);
    pthread_mutex_unlock(&serial->lock);
    return taken;
}
