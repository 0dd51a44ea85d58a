/* Records what a process does to files under a folder, with the data: preloaded, it traps the system calls themselves
   (seccomp), so that writes of any library are seen, whether they go through libc or not. Linux on x86-64.

   TORN_ROOT: the folder; TORN_LOG: where records go. A record: code (1 byte), three numbers (8 bytes each), the lengths
   of two byte strings (8 bytes each), the strings. See torn_states.py, which reads them. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define STUB ((void *)0x7e5700000000)

static const unsigned char code[] = {
    /* mov rax,rdi; mov rdi,rsi; mov rsi,rdx; mov rdx,rcx; mov r10,r8; mov r8,r9; mov r9,[rsp+8]; syscall; ret */
    0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x4d, 0x89, 0xc2,
    0x4d, 0x89, 0xc8, 0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05, 0xc3};

typedef long (*stub_t)(long, long, long, long, long, long, long);
static stub_t call_kernel = (stub_t)STUB;
static char root[4096];
static size_t root_size;
static int out = -1;
static int lock_word;

#define CALL(n, a, b, c, d, e, f) call_kernel((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static void hold(void) {
    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE)) CALL(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}
static void let_go(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        long done = CALL(SYS_write, out, at, size, 0, 0, 0);
        if (done <= 0) CALL(SYS_exit_group, 99, 0, 0, 0, 0, 0);
        at += done, size -= done;
    }
}

static void record(char kind, uint64_t a, uint64_t b, uint64_t c, const void *one, size_t size1, const void *two,
                   size_t size2) {
    uint64_t head[5] = {a, b, c, size1, size2};
    put(&kind, 1);
    put(head, sizeof head);
    put(one, size1);
    put(two, size2);
}

/* The absolute path of a name at a folder's descriptor; 0 where it is not under the root. */
static size_t resolve(int at, const char *name, char *path) {
    size_t size = 0;
    if (name[0] != '/') {
        char link[64] = "/proc/self/fd/";
        long read;
        if (at == AT_FDCWD) read = CALL(SYS_readlink, "/proc/self/cwd", path, 4000, 0, 0, 0);
        else {
            char digits[16];
            int n = 0, fd = at;
            do digits[n++] = '0' + fd % 10; while (fd /= 10);
            size_t place = 14;
            while (n) link[place++] = digits[--n];
            link[place] = 0;
            read = CALL(SYS_readlink, link, path, 4000, 0, 0, 0);
        }
        if (read <= 0) return 0;
        size = read;
        path[size++] = '/';
    }
    size_t length = strlen(name);
    if (size + length > 4090) return 0;
    memcpy(path + size, name, length + 1);
    size += length;
    while (size > 1 && path[size - 1] == '/') path[--size] = 0;
    return size > root_size && !memcmp(path, root, root_size) && path[root_size] == '/' ? size : 0;
}

static size_t resolve_fd(int fd, char *path) {
    size_t size = resolve(fd, ".", path);
    if (size < 2) return 0;
    path[size -= 2] = 0;
    return size;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return CALL(SYS_fstat, fd, &found, 0, 0, 0, 0) ? 0 : found.st_ino;
}

static uint64_t inode_at(const char *path) {
    struct stat found;
    return CALL(SYS_newfstatat, AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW, 0, 0) ? 0 : found.st_ino;
}

/* Whether a descriptor is of a file or folder under the root (a file that was unlinked counts too). */
static int is_ours(int fd) {
    char path[4200];
    struct stat found;
    if (CALL(SYS_fstat, fd, &found, 0, 0, 0, 0) || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return 0;
    size_t size = resolve_fd(fd, path);
    if (size) return 1;
    return !memcmp(path, root, root_size) && path[root_size] == 0;
}

static long do_open(int at, const char *name, int flags, int mode) {
    char path[4200];
    size_t size = resolve(at, name, path);
    uint64_t before = size ? inode_at(path) : 0;
    long fd = CALL(SYS_openat, at, name, flags, mode, 0, 0);
    if (fd >= 0 && size) {
        if ((flags & O_TMPFILE) == O_TMPFILE) record('?', 0, 0, 0, "O_TMPFILE", 9, path, size);
        else if (!before) record('c', inode_of(fd), 0, 0, path, size, 0, 0);
        else if (flags & O_TRUNC) record('t', inode_of(fd), 0, 0, "", 0, 0, 0);
    }
    return fd;
}

static long do_write(long nr, int fd, long a, long b, long c, long d) {
    if (fd == out || !is_ours(fd)) return CALL(nr, fd, a, b, c, d, 0);
    int has_place = nr == SYS_pwrite64 || nr == SYS_pwritev || nr == SYS_pwritev2;
    int flags = CALL(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
    struct stat found;
    CALL(SYS_fstat, fd, &found, 0, 0, 0, 0);
    uint64_t place = has_place ? (uint64_t)c
                     : flags & O_APPEND ? (uint64_t)found.st_size
                                        : (uint64_t)CALL(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
    long done = CALL(nr, fd, a, b, c, d, 0);
    if (done <= 0) return done;
    if (nr == SYS_write || nr == SYS_pwrite64) {
        record('w', found.st_ino, place, 0, (void *)a, done, 0, 0);
        return done;
    }
    const struct iovec *parts = (const struct iovec *)a;
    long left = done;
    for (long i = 0; i < b && left > 0; i++) {
        long size = (long)parts[i].iov_len < left ? (long)parts[i].iov_len : left;
        record('w', found.st_ino, place, 0, parts[i].iov_base, size, 0, 0);
        place += size, left -= size;
    }
    return done;
}

static long do_two(long nr, int at1, const char *one, int at2, const char *two, unsigned flags) {
    char path1[4200], path2[4200];
    size_t size1 = resolve(at1, one, path1), size2 = resolve(at2, two, path2);
    uint64_t inode = size1 ? inode_at(path1) : 0;
    long done = nr == SYS_linkat ? CALL(nr, at1, one, at2, two, flags, 0)
                : flags          ? CALL(SYS_renameat2, at1, one, at2, two, flags, 0)
                                 : CALL(SYS_renameat, at1, one, at2, two, 0, 0);
    if (!done && (size1 || size2)) record(nr == SYS_linkat ? 'l' : 'r', inode, flags, 0, path1, size1, path2, size2);
    return done;
}

static long do_unlink(int at, const char *name, int flags) {
    char path[4200];
    size_t size = resolve(at, name, path);
    long done = CALL(SYS_unlinkat, at, name, flags, 0, 0, 0);
    if (!done && size) record(flags & AT_REMOVEDIR ? 'd' : 'u', 0, 0, 0, path, size, 0, 0);
    return done;
}

static long do_mkdir(int at, const char *name, int mode) {
    char path[4200];
    size_t size = resolve(at, name, path);
    long done = CALL(SYS_mkdirat, at, name, mode, 0, 0, 0);
    if (!done && size) record('m', inode_at(path), 0, 0, path, size, 0, 0);
    return done;
}

static long do_symlink(const char *to, int at, const char *name) {
    char path[4200];
    size_t size = resolve(at, name, path);
    long done = CALL(SYS_symlinkat, to, at, name, 0, 0, 0);
    if (!done && size) record('?', 0, 0, 0, "symlink", 7, path, size);
    return done;
}

static long do_fd(long nr, int fd, long a, long b, long c, long d, long e) {
    int ours = is_ours(fd);
    long done = CALL(nr, fd, a, b, c, d, e);
    if (done < 0 || !ours) return done;
    if (nr == SYS_fsync || nr == SYS_fdatasync) record('f', inode_of(fd), 0, 0, "", 0, 0, 0);
    else if (nr == SYS_ftruncate) record('s', inode_of(fd), a, 0, "", 0, 0, 0);
    else if (nr == SYS_fallocate) record('a', inode_of(fd), b + c, a, "", 0, 0, 0);
    return done;
}

static long do_unknown(long nr, const long *v) {
    /* Copies within the kernel, truncation by path, shared writable maps: say so where it is under the root. */
    long done = CALL(nr, v[0], v[1], v[2], v[3], v[4], v[5]);
    if (done < 0) return done;
    char path[4200];
    int ours = nr == SYS_truncate ? resolve(AT_FDCWD, (const char *)v[0], path) > 0
               : nr == SYS_mmap   ? is_ours((int)v[4])
               : nr == SYS_copy_file_range ? is_ours((int)v[2])
                                           : is_ours((int)v[0]);
    if (ours) record('?', nr, 0, 0, "call", 4, "", 0);
    return done;
}

static long act(long nr, const long *v) {
    switch (nr) {
    case SYS_open: return do_open(AT_FDCWD, (const char *)v[0], (int)v[1], (int)v[2]);
    case SYS_creat: return do_open(AT_FDCWD, (const char *)v[0], O_CREAT | O_WRONLY | O_TRUNC, (int)v[1]);
    case SYS_openat: return do_open((int)v[0], (const char *)v[1], (int)v[2], (int)v[3]);
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_pwritev2:
        return do_write(nr, (int)v[0], v[1], v[2], v[3], v[4]);
    case SYS_rename: return do_two(SYS_renameat, AT_FDCWD, (const char *)v[0], AT_FDCWD, (const char *)v[1], 0);
    case SYS_renameat: return do_two(nr, (int)v[0], (const char *)v[1], (int)v[2], (const char *)v[3], 0);
    case SYS_renameat2: return do_two(nr, (int)v[0], (const char *)v[1], (int)v[2], (const char *)v[3], (unsigned)v[4]);
    case SYS_link: return do_two(SYS_linkat, AT_FDCWD, (const char *)v[0], AT_FDCWD, (const char *)v[1], 0);
    case SYS_linkat: return do_two(nr, (int)v[0], (const char *)v[1], (int)v[2], (const char *)v[3], (unsigned)v[4]);
    case SYS_unlink: return do_unlink(AT_FDCWD, (const char *)v[0], 0);
    case SYS_rmdir: return do_unlink(AT_FDCWD, (const char *)v[0], AT_REMOVEDIR);
    case SYS_unlinkat: return do_unlink((int)v[0], (const char *)v[1], (int)v[2]);
    case SYS_mkdir: return do_mkdir(AT_FDCWD, (const char *)v[0], (int)v[1]);
    case SYS_mkdirat: return do_mkdir((int)v[0], (const char *)v[1], (int)v[2]);
    case SYS_symlink: return do_symlink((const char *)v[0], AT_FDCWD, (const char *)v[1]);
    case SYS_symlinkat: return do_symlink((const char *)v[0], (int)v[1], (const char *)v[2]);
    case SYS_fsync: case SYS_fdatasync: case SYS_ftruncate: case SYS_fallocate:
        return do_fd(nr, (int)v[0], v[1], v[2], v[3], v[4], v[5]);
    default: return do_unknown(nr, v);
    }
}

static void handle(int signal, siginfo_t *info, void *context) {
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long values[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                      registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    hold();
    registers[REG_RAX] = act(info->si_syscall, values);
    let_go();
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define TRAP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF_TRAP(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), TRAP
/* Opening for reading alone changes nothing. */
#define IF_OPEN(number, argument) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (argument)), \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC, 0, 1), TRAP, ALLOW
/* Shared and writable. */
#define IF_MAP \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6), \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * 2), \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 3), \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * 3), \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 1), TRAP, ALLOW

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("TORN_ROOT"), *log = getenv("TORN_LOG");
    if (!folder || !log || !realpath(folder, root)) return;
    root_size = strlen(root);
    void *page = mmap(STUB, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (page != STUB) _exit(98);
    memcpy(page, code, sizeof code);
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    out = fcntl(fd, F_DUPFD_CLOEXEC, 900);
    if (out < 0) out = fd;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigaction(SIGSYS, &action, 0);
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), ALLOW,
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)((uintptr_t)STUB >> 32), 0, 1), ALLOW,
        LOAD(nr),
        IF_TRAP(SYS_creat), IF_TRAP(SYS_write), IF_TRAP(SYS_pwrite64), IF_TRAP(SYS_writev), IF_TRAP(SYS_pwritev),
        IF_TRAP(SYS_pwritev2), IF_TRAP(SYS_rename), IF_TRAP(SYS_renameat), IF_TRAP(SYS_renameat2), IF_TRAP(SYS_link),
        IF_TRAP(SYS_linkat), IF_TRAP(SYS_unlink), IF_TRAP(SYS_unlinkat), IF_TRAP(SYS_rmdir), IF_TRAP(SYS_mkdir),
        IF_TRAP(SYS_mkdirat), IF_TRAP(SYS_symlink), IF_TRAP(SYS_symlinkat), IF_TRAP(SYS_fsync), IF_TRAP(SYS_fdatasync),
        IF_TRAP(SYS_ftruncate), IF_TRAP(SYS_truncate), IF_TRAP(SYS_fallocate), IF_TRAP(SYS_copy_file_range),
        IF_TRAP(SYS_sendfile), IF_TRAP(SYS_splice), IF_OPEN(SYS_open, 1), IF_OPEN(SYS_openat, 2), IF_MAP,
        ALLOW,
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(97);
}
