/*
 * Makes one system call with a path, as raw as it gets, and prints what the kernel answered: the
 * number returned, which is -errno on failure. It uses no C library, so that it can be built for
 * 32 bits too where only a 64-bit one is installed, and so that nothing falls back to another call.
 *
 *     probe [at:]CALL PATH [PATH2]
 *
 * With "at:", calls that take a directory's descriptor get one of the root directory, and PATH without
 * its leading slash. PATH2 is for calls with two paths.
 *
 * Build: cc -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -O1 [-m32] probe.c
 *
 * With -DSCV, on ppc64le, the calls are made by the newer one of its two instructions (POWER9).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>

/* Linux 6.6 and later, the same numbers on every architecture. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat 463
#define __NR_getxattrat 464
#define __NR_listxattrat 465
#define __NR_removexattrat 466
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif
#ifndef __NR_file_getattr
#define __NR_file_getattr 468
#define __NR_file_setattr 469
#endif

typedef long word;

#if defined(__x86_64__)
static word call6(word n, word a, word b, word c, word d, word e, word f)
{
	word result;
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__i386__)
/* ebp is the sixth argument, and the compiler may use it: all six come from memory. */
word call6_i386(const word *arguments);
__asm__(".globl call6_i386\n"
	"call6_i386:\n"
	"	push %ebx; push %esi; push %edi; push %ebp\n"
	"	mov 20(%esp), %eax\n"
	"	mov 4(%eax), %ebx; mov 8(%eax), %ecx; mov 12(%eax), %edx\n"
	"	mov 16(%eax), %esi; mov 20(%eax), %edi; mov 24(%eax), %ebp\n"
	"	mov (%eax), %eax\n"
	"	int $0x80\n"
	"	pop %ebp; pop %edi; pop %esi; pop %ebx\n"
	"	ret\n");
static word call6(word n, word a, word b, word c, word d, word e, word f)
{
	word arguments[7];
	arguments[0] = n; arguments[1] = a; arguments[2] = b; arguments[3] = c;
	arguments[4] = d; arguments[5] = e; arguments[6] = f;
	return call6_i386(arguments);
}
#elif defined(__aarch64__)
static word call6(word n, word a, word b, word c, word d, word e, word f)
{
	register word x8 __asm__("x8") = n;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = e;
	register word x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#elif defined(__powerpc64__)
static word call6(word n, word a, word b, word c, word d, word e, word f)
{
	register word r0 __asm__("r0") = n;
	register word r3 __asm__("r3") = a;
	register word r4 __asm__("r4") = b;
	register word r5 __asm__("r5") = c;
	register word r6 __asm__("r6") = d;
	register word r7 __asm__("r7") = e;
	register word r8 __asm__("r8") = f;
	__asm__ volatile(
#ifdef SCV
			 ".machine power9\n	scv 0\n"
#else
			 "sc\n	bns+ 1f\n	neg 3, 3\n1:\n"
#endif
			 : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8) :
			 : "r9", "r10", "r11", "r12", "cr0", "cr1", "cr5", "cr6", "cr7", "lr", "ctr", "xer", "memory");
	return r3;
}
#endif

#define P(x) ((word)(x))
#define CALL(name, a, b, c, d, e, f) call6(__NR_##name, P(a), P(b), P(c), P(d), P(e), P(f))

static int same(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return *a == *b;
}

static unsigned length(const char *text)
{
	unsigned count = 0;
	while (text[count] != '\0')
		count++;
	return count;
}

void *memcpy(void *to, const void *from, unsigned long count)
{
	char *t = to;
	const char *f = from;
	while (count-- > 0)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, unsigned long count)
{
	char *t = to;
	while (count-- > 0)
		*t++ = (char)value;
	return to;
}

static void say(word number)
{
	char text[24], *cursor = text + sizeof(text);
	unsigned long rest = number < 0 ? -number : number;
	*--cursor = '\n';
	do
		*--cursor = '0' + rest % 10;
	while ((rest /= 10) > 0);
	if (number < 0)
		*--cursor = '-';
	CALL(write, 1, cursor, text + sizeof(text) - cursor, 0, 0, 0);
}

/* A descriptor of a unix socket, and its address, for bind and connect. */
struct address {
	unsigned short family;
	char path[108];
};

static word unix_address(struct address *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->family = 1;
	memcpy(address->path, path, length(path) + 1 < sizeof(address->path) ? length(path) + 1 : sizeof(address->path));
#if defined(__i386__)
	{
		static word arguments[3] = { 1, 1, 0 };
		return CALL(socketcall, 1, arguments, 0, 0, 0, 0);
	}
#else
	return CALL(socket, 1, 1, 0, 0, 0, 0);
#endif
}

static word at = AT_FDCWD;
static char buffer[8192];
static const char attribute[] = "user.probe";

static word probe(const char *call, const char *path, const char *path2, char **envp)
{
	static struct { unsigned long long flags, mode, resolve; } how;
	static struct { unsigned long long value; unsigned size, flags; } xattr_args;
	static struct { unsigned size; int type; unsigned char handle[128]; } handle = { 128, 0, { 0 } };
	static char *argv[2];
	struct address address;
	word fd;

	argv[0] = (char *)path;
	if (call[0] == 'a' && call[1] == 't' && call[2] == ':') {
		at = CALL(openat, AT_FDCWD, "/", O_DIRECTORY, 0, 0, 0);
		call += 3, path++, path2++;
	}
	xattr_args.value = (unsigned long)buffer;
	xattr_args.size = 4;

#define IS(name) if (same(call, #name))
	IS(openat) return CALL(openat, at, path, 0, 0, 0, 0);
	IS(openat2) return CALL(openat2, at, path, &how, sizeof(how), 0, 0);
	IS(openat2_in_root) {
		fd = CALL(openat, AT_FDCWD, "/", O_DIRECTORY, 0, 0, 0);
		how.resolve = 0x10;  /* RESOLVE_IN_ROOT */
		return CALL(openat2, fd, path, &how, sizeof(how), 0, 0);
	}
	IS(newfstat) {  /* fstat(open(path)): that a descriptor is not touched */
		fd = CALL(openat, at, path, 0, 0, 0, 0);
		return fd < 0 ? fd : CALL(fstat, fd, buffer, 0, 0, 0, 0);
	}
	IS(statx) return CALL(statx, at, path, 0, 0x7ff, buffer, 0);
	IS(faccessat) return CALL(faccessat, at, path, 4, 0, 0, 0);
	IS(faccessat2) return CALL(faccessat2, at, path, 4, 0, 0, 0);
	IS(readlinkat) return CALL(readlinkat, at, path, buffer, 100, 0, 0);
	IS(truncate) return CALL(truncate, path, 2, 0, 0, 0, 0);
	IS(fchmodat) return CALL(fchmodat, at, path, 0640, 0, 0, 0);
	IS(fchmodat2) return CALL(fchmodat2, at, path, 0640, 0, 0, 0);
	IS(fchownat) return CALL(fchownat, at, path, -1, -1, 0, 0);
	IS(utimensat) return CALL(utimensat, at, path, 0, 0, 0, 0);
	IS(mkdirat) return CALL(mkdirat, at, path, 0755, 0, 0, 0);
	IS(mknodat) return CALL(mknodat, at, path, 0100644, 0, 0, 0);
	IS(unlinkat) return CALL(unlinkat, at, path, 0, 0, 0, 0);
	IS(renameat2) return CALL(renameat2, at, path, at, path2, 0, 0);
	IS(linkat) return CALL(linkat, at, path, at, path2, 0, 0);
	IS(symlinkat) return CALL(symlinkat, "anything", at, path, 0, 0, 0);
	IS(chdir) return CALL(chdir, path, 0, 0, 0, 0, 0);
	IS(chroot) return CALL(chroot, path, 0, 0, 0, 0, 0);
	IS(statfs) return CALL(statfs, path, buffer, 0, 0, 0, 0);
	IS(execve) return CALL(execve, path, argv, envp, 0, 0, 0);
	IS(execveat) return CALL(execveat, at, path, argv, envp, 0, 0);
	IS(execveat_fd) {  /* as fexecve(3) does */
		fd = CALL(openat, at, path, O_CLOEXEC, 0, 0, 0);
		return fd < 0 ? fd : CALL(execveat, fd, "", argv, envp, AT_EMPTY_PATH, 0);
	}
	IS(setxattr) return CALL(setxattr, path, attribute, "text", 4, 0, 0);
	IS(getxattr) return CALL(getxattr, path, attribute, buffer, 100, 0, 0);
	IS(listxattr) return CALL(listxattr, path, buffer, 1000, 0, 0, 0);
	IS(removexattr) return CALL(removexattr, path, attribute, 0, 0, 0, 0);
	IS(lsetxattr) return CALL(lsetxattr, path, attribute, "text", 4, 0, 0);
	IS(lgetxattr) return CALL(lgetxattr, path, attribute, buffer, 100, 0, 0);
	IS(llistxattr) return CALL(llistxattr, path, buffer, 1000, 0, 0, 0);
	IS(lremovexattr) return CALL(lremovexattr, path, attribute, 0, 0, 0, 0);
	IS(setxattrat) return CALL(setxattrat, at, path, 0, attribute, &xattr_args, sizeof(xattr_args));
	IS(getxattrat) return CALL(getxattrat, at, path, 0, attribute, &xattr_args, sizeof(xattr_args));
	IS(listxattrat) return CALL(listxattrat, at, path, 0, buffer, 1000, 0);
	IS(removexattrat) return CALL(removexattrat, at, path, 0, attribute, 0, 0);
	IS(file_getattr) return CALL(file_getattr, at, path, buffer, 24, 0, 0);
	IS(file_setattr) {  /* all zero: what a new file has */
		memset(buffer, 0, sizeof(buffer));
		return CALL(file_setattr, at, path, buffer, 24, 0, 0);
	}
	IS(name_to_handle_at) return CALL(name_to_handle_at, at, path, &handle, buffer, 0, 0);
	IS(inotify_add_watch) {
		fd = CALL(inotify_init1, 0, 0, 0, 0, 0, 0);
		return CALL(inotify_add_watch, fd, path, 2, 0, 0, 0);
	}
	IS(fanotify_mark) {
		fd = CALL(fanotify_init, 0x200 /* FAN_REPORT_FID */, 0, 0, 0, 0, 0);
		if (fd < 0)
			return fd;
#if defined(__i386__)
		return CALL(fanotify_mark, fd, 1, 2, 0, at, path);
#else
		return CALL(fanotify_mark, fd, 1, 2, at, path, 0);
#endif
	}
	IS(open_tree) return CALL(open_tree, at, path, 0, 0, 0, 0);
	IS(open_tree_attr) return CALL(open_tree_attr, at, path, 0, 0, 0, 0);
	IS(move_mount) return CALL(move_mount, at, path, at, path, 0, 0);
	IS(fspick) return CALL(fspick, at, path, 0, 0, 0, 0);
	IS(mount_setattr) {
		memset(buffer, 0, sizeof(buffer));
		buffer[0] = 1;  /* attr_set = MOUNT_ATTR_RDONLY */
		return CALL(mount_setattr, at, path, 0, buffer, 32, 0);
	}
	IS(mount) return CALL(mount, path, path, "bind", 4096, 0, 0);
	IS(umount2) return CALL(umount2, path, 0, 0, 0, 0, 0);
	IS(pivot_root) return CALL(pivot_root, path, path, 0, 0, 0, 0);
	IS(swapon) return CALL(swapon, path, 0, 0, 0, 0, 0);
	IS(swapoff) return CALL(swapoff, path, 0, 0, 0, 0, 0);
	IS(acct) return CALL(acct, path, 0, 0, 0, 0, 0);
	IS(quotactl) return CALL(quotactl, 0x80000700 /* Q_GETQUOTA */, path, 0, buffer, 0, 0);
	IS(quotactl_on) return CALL(quotactl, 0x80000200 /* Q_QUOTAON */, path, 0, path, 0, 0);
	IS(bpf_obj_get) {
		memset(buffer, 0, sizeof(buffer));
		*(unsigned long long *)buffer = (unsigned long)path;
		return CALL(bpf, 7 /* BPF_OBJ_GET */, buffer, 16, 0, 0, 0);
	}
	IS(io_uring_setup) {
		memset(buffer, 0, sizeof(buffer));
		return CALL(io_uring_setup, 4, buffer, 0, 0, 0, 0);
	}
	IS(unknown_newest) return call6(511, 0, 0, 0, 0, 0, 0);
	IS(bind) {
		fd = unix_address(&address, path);
		return CALL(bind, fd, &address, sizeof(address), 0, 0, 0);
	}
	IS(connect) {
		fd = unix_address(&address, path);
		return CALL(connect, fd, &address, sizeof(address), 0, 0, 0);
	}
#ifdef __NR_open
	IS(open) return CALL(open, path, 0, 0, 0, 0, 0);
	IS(creat) return CALL(creat, path, 0644, 0, 0, 0, 0);
	IS(stat) return CALL(stat, path, buffer, 0, 0, 0, 0);
	IS(lstat) return CALL(lstat, path, buffer, 0, 0, 0, 0);
	IS(access) return CALL(access, path, 4, 0, 0, 0, 0);
	IS(readlink) return CALL(readlink, path, buffer, 100, 0, 0, 0);
	IS(chmod) return CALL(chmod, path, 0640, 0, 0, 0, 0);
	IS(chown) return CALL(chown, path, -1, -1, 0, 0, 0);
	IS(lchown) return CALL(lchown, path, -1, -1, 0, 0, 0);
	IS(utime) return CALL(utime, path, 0, 0, 0, 0, 0);
	IS(utimes) return CALL(utimes, path, 0, 0, 0, 0, 0);
	IS(futimesat) return CALL(futimesat, at, path, 0, 0, 0, 0);
	IS(mkdir) return CALL(mkdir, path, 0755, 0, 0, 0, 0);
	IS(mknod) return CALL(mknod, path, 0100644, 0, 0, 0, 0);
	IS(unlink) return CALL(unlink, path, 0, 0, 0, 0, 0);
	IS(rmdir) return CALL(rmdir, path, 0, 0, 0, 0, 0);
	IS(rename) return CALL(rename, path, path2, 0, 0, 0, 0);
	IS(renameat) return CALL(renameat, at, path, at, path2, 0, 0);
	IS(link) return CALL(link, path, path2, 0, 0, 0, 0);
	IS(symlink) return CALL(symlink, "anything", path, 0, 0, 0, 0);
	IS(uselib) return CALL(uselib, path, 0, 0, 0, 0, 0);
#endif
#ifdef __NR_newfstatat
	IS(newfstatat) return CALL(newfstatat, at, path, buffer, 0, 0, 0);
#endif
#ifdef __NR_umount
	IS(umount) return CALL(umount, path, 0, 0, 0, 0, 0);
#endif
#if defined(__i386__)
	IS(fstatat64) return CALL(fstatat64, at, path, buffer, 0, 0, 0);
	IS(stat64) return CALL(stat64, path, buffer, 0, 0, 0, 0);
	IS(lstat64) return CALL(lstat64, path, buffer, 0, 0, 0, 0);
	IS(oldstat) return CALL(oldstat, path, buffer, 0, 0, 0, 0);
	IS(oldlstat) return CALL(oldlstat, path, buffer, 0, 0, 0, 0);
	IS(truncate64) return CALL(truncate64, path, 2, 0, 0, 0, 0);
	IS(chown32) return CALL(chown32, path, -1, -1, 0, 0, 0);
	IS(lchown32) return CALL(lchown32, path, -1, -1, 0, 0, 0);
	IS(utimensat_time64) return CALL(utimensat_time64, at, path, 0, 0, 0, 0);
#endif
#if defined(__powerpc64__)
	IS(spu_create) return CALL(spu_create, path, 0, 0755, 0, 0, 0);
#endif
#if defined(__i386__) || defined(__powerpc64__)
	IS(statfs64) return CALL(statfs64, path, sizeof(word) == 4 ? 84 : 88, buffer, 0, 0, 0);
	IS(socketcall_connect) {
		static word arguments[3];
		fd = unix_address(&address, path);
		arguments[0] = fd; arguments[1] = P(&address); arguments[2] = sizeof(address);
		return CALL(socketcall, 3 /* SYS_CONNECT */, arguments, 0, 0, 0, 0);
	}
#endif
	return -9999;  /* no such call on this architecture */
}

__attribute__((used)) static void start(word *stack)
{
	word argc = stack[0];
	char **argv = (char **)(stack + 1);
	char **envp = argv + argc + 1;

	/* Executed by a probe of execve: its own name is the only argument. */
	if (argc == 1)
		say(0);
	else
		say(probe(argv[1], argv[2], argc > 3 ? argv[3] : argv[2], envp));
	CALL(exit_group, 0, 0, 0, 0, 0, 0);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call start\n");
#elif defined(__i386__)
__asm__(".globl _start\n_start:\n	mov %esp, %eax\n	and $-16, %esp\n	sub $12, %esp\n	push %eax\n	call start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n	mov x0, sp\n	bl start\n");
#elif defined(__powerpc64__)
__asm__(".globl _start\n_start:\n"
	"	addis 2, 12, .TOC. - _start@ha\n"
	"	addi 2, 2, .TOC. - _start@l\n"
	"	mr 3, 1\n"
	"	stdu 1, -32(1)\n"
	"	bl start\n");
#endif
