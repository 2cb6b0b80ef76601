// Preloaded into grub-fstest: takes all rights from it, and gives it one "disk" whose bytes come over a socket.
//
// The program reads file systems that guests wrote, so it is treated as if a guest ran it. Before its main() begins it
// loses root's uid and capabilities, gets limits on time and memory, and a seccomp filter that lets it compute, read
// and write descriptors it has, and end. Opening any file fails from then on; the disk is opened here, by a name that
// exists nowhere, so that the program cannot work without this library. What must not be refused ends the process.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK_NAME "/nova-lite-guest-disk"
#define NOBODY 65534
#define REQUEST_MAX (1u << 20)

struct request {
    uint64_t offset;
    uint64_t size;
};

static int socket_fd = -1;      // where the agent is asked for bytes
static int disk_fd = -1;        // a sparse file of the disk's size: it has the offset, its bytes are never read

static void or_die(int failed)
{
    if (failed)
        _exit(125);
}

static void limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit both = {value, value};
    or_die(setrlimit(resource, &both));
}

static const int ALLOWED[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_lseek, SYS_close, SYS_fstat, SYS_mmap, SYS_mprotect, SYS_munmap,
    SYS_mremap, SYS_madvise, SYS_brk, SYS_futex, SYS_exit, SYS_exit_group, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_getrandom, SYS_clock_gettime, SYS_gettimeofday, SYS_getpid, SYS_gettid, SYS_recvfrom,
    SYS_sendto, SYS_getcwd, SYS_restart_syscall,
};
#define ALLOWED_COUNT (sizeof ALLOWED / sizeof *ALLOWED)

static void filter_system_calls(void)
{
    struct sock_filter code[ALLOWED_COUNT + 8];
    size_t n = 0;

    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED_COUNT; i++) {
        unsigned char to_allow = (unsigned char)(ALLOWED_COUNT - i);
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)ALLOWED[i], to_allow, 0);
    }
    // What the program asks in passing (folders, locales, terminals) fails; it goes on without.
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

    struct sock_fprog program = {(unsigned short)n, code};
    or_die(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

__attribute__((constructor)) static void confine(void)
{
    const char *given = getenv("NOVA_LITE_READER");
    or_die(given == NULL || sscanf(given, "%d %d", &socket_fd, &disk_fd) != 2);
    limit(RLIMIT_CPU, 20);
    limit(RLIMIT_AS, 512u << 20);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    if (geteuid() == 0) {
        or_die(setgroups(0, NULL));
        or_die(setresgid(NOBODY, NOBODY, NOBODY));
        or_die(setresuid(NOBODY, NOBODY, NOBODY));
    }
    limit(RLIMIT_NPROC, 0);
    or_die(prctl(PR_SET_DUMPABLE, 0));
    or_die(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    filter_system_calls();
}

char *realpath(const char *path, char *resolved)
{
    return resolved ? strcpy(resolved, path) : strdup(path);    // there is one path: our own
}

// Looking into the host's folders is how the program makes sure that there are any: they are empty.
DIR *opendir(const char *path)
{
    static char empty;
    (void)path;
    return (DIR *)&empty;
}

struct dirent64 *readdir64(DIR *folder)
{
    (void)folder;
    return NULL;
}

int closedir(DIR *folder)
{
    (void)folder;
    return 0;
}

int open64(const char *path, int flags, ...)
{
    (void)flags;
    if (strcmp(path, DISK_NAME) == 0)
        return disk_fd;
    errno = EACCES;
    return -1;
}

int __open64_2(const char *path, int flags)
{
    return open64(path, flags);
}

int fstat64(int fd, struct stat64 *status)
{
    return (int)syscall(SYS_fstat, fd, status);     // libc's own looks up a path, which the filter refuses
}

int close(int fd)
{
    if (fd == disk_fd)          // it is opened more than once
        return 0;
    return (int)syscall(SYS_close, fd);
}

static int receive_all(void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = recv(socket_fd, (char *)to + done, size - done, 0);
        if (got <= 0)
            return -1;
        done += (size_t)got;
    }
    return 0;
}

ssize_t read(int fd, void *to, size_t size)
{
    if (fd != disk_fd)
        return syscall(SYS_read, fd, to, size);
    off64_t at = lseek64(fd, 0, SEEK_CUR);
    struct request asked = {(uint64_t)at, size < REQUEST_MAX ? size : REQUEST_MAX};
    uint64_t coming;
    // The answer: how many bytes come, and these. The agent ends the connection instead when it has had enough.
    if (at < 0 || send(socket_fd, &asked, sizeof asked, MSG_NOSIGNAL) != sizeof asked ||
        receive_all(&coming, sizeof coming) || coming > asked.size || receive_all(to, coming) ||
        lseek64(fd, at + (off64_t)coming, SEEK_SET) < 0) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)coming;
}
