/* fakechroot_calls CALL [PATH]: makes one call that glibc has, and prints what it gave, or how it failed.
   musl-root/calls.c has those that every C library has. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

extern char **environ;
int __xstat(int, const char *, struct stat *);
int __open_2(const char *, int);
char *__realpath_chk(const char *, char *, size_t);
ssize_t __readlink_chk(const char *, char *, size_t, size_t);
char *__getcwd_chk(char *, size_t, size_t);

static struct stat st;
static char text[8192];

static int do_lstat64(const char *path) { struct stat64 st64; return lstat64(path, &st64); }
static int do_fstatat64(const char *path) { struct stat64 st64; return fstatat64(AT_FDCWD, path, &st64, AT_SYMLINK_NOFOLLOW); }
static int do_open_2(const char *path) { return __open_2(path, O_RDONLY) < 0 ? -1 : 0; }
static int do_eaccess(const char *path) { return euidaccess(path, R_OK); }
static int do_statfs(const char *path) { struct statfs sf; return statfs(path, &sf); }
static int do_realpath_chk(const char *path) { return __realpath_chk(path, text, 4096) ? 0 : -1; }
static int do_canonicalize(const char *path) { char *found = canonicalize_file_name(path); return found ? sprintf(text, "%s", found) : -1; }
static int do_fchmodat(const char *path) { return fchmodat(AT_FDCWD, path, 0644, 0); }
static int do_lutimes(const char *path) { return lutimes(path, NULL); }
static int do_inotify(const char *path) { return inotify_add_watch(inotify_init(), path, IN_MODIFY) < 0 ? -1 : 0; }
static int do_getxattr(const char *path) { return getxattr(path, "user.none", text, 8) < 0 && (errno == ENODATA || errno == ENOTSUP) ? 0 : -1; }
static int do_truncate(const char *path) { return stat(path, &st) ? -1 : truncate(path, st.st_size); }
static int do_pathconf(const char *path) { return pathconf(path, _PC_NAME_MAX) < 0 ? -1 : 0; }
static int do_fopen_append(const char *path) { return fopen(path, "r+") ? 0 : -1; }
static int do_renameat2(const char *path)
{
	char to[4096];
	sprintf(to, "%s.new", path);
	return renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) || renameat2(AT_FDCWD, to, AT_FDCWD, path, 0) ? -1 : 0;
}
static int do_linkat(const char *path)
{
	char to[4096];
	sprintf(to, "%s.link", path);
	return linkat(AT_FDCWD, path, AT_FDCWD, to, 0) || unlinkat(AT_FDCWD, to, 0) ? -1 : 0;
}
static int do_fts(const char *path)
{
	char *paths[] = { (char *)path, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL, NULL);
	FTSENT *entry = tree ? fts_read(tree) : NULL;
	if (!entry || entry->fts_info == FTS_NS)
		return errno = ENOENT, -1;
	return sprintf(text, "%s", entry->fts_path);
}
static int seen(const char *path, const struct stat64 *status, int type, struct FTW *at) { return sprintf(text + strlen(text), "%s,", path + at->base), type == FTW_NS; }
static int do_nftw64(const char *path) { return nftw64(path, seen, 8, FTW_CHDIR) ? -1 : 0; }
static int do_scandirat(const char *path)
{
	struct dirent **names;
	char directory[4096];
	strcpy(directory, path);
	*strrchr(directory, '/') = '\0';
	int count = scandirat(open("/", O_RDONLY), directory + 1, &names, NULL, NULL);
	while (count > 0)
		if (!strcmp(names[--count]->d_name, strrchr(path, '/') + 1))
			return 0;
	return -1;
}
static int do_dirfd(const char *path)
{
	char directory[4096];
	int fd;
	strcpy(directory, path);
	*strrchr(directory, '/') = '\0';
	return (fd = open(*directory ? directory : "/", O_PATH)) < 0 || fstatat(fd, strrchr(path, '/') + 1, &st, 0) ||
		statx(fd, strrchr(path, '/') + 1, 0, STATX_SIZE, (struct statx *)text) || openat(fd, strrchr(path, '/') + 1, O_RDONLY) < 0 ? -1 : (*text = 0);
}

static int do_readlink_chk(const char *path) { return __readlink_chk(path, text, 4096, 8192) < 0 ? -1 : 0; }
static int do_getcwd(const char *path)
{
	char small[4], *made;
	if (chdir(path) || getcwd(small, 1) || errno != ERANGE || !__getcwd_chk(text, 4096, 8192) || !(made = getcwd(NULL, 0)) || strcmp(made, text))
		return -1;
	return 0;
}
static int do_popen_status(const char *command) { return sprintf(text, "%d", WEXITSTATUS(pclose(popen(command, "re")))); }
static int do_auxv(const char *path) { return sprintf(text, "%s %s", (char *)getauxval(AT_EXECFN), program_invocation_name); }
static int do_exe(const char *path) { ssize_t n = readlink("/proc/self/exe", text, sizeof text); return text[n] = 0; }
static int do_fexecve(const char *path) { char *argv[] = { "started", "x", NULL }; return fexecve(open(path, O_RDONLY|O_CLOEXEC), argv, environ); }
static int do_execveat(const char *path) { char *argv[] = { "started", "x", NULL }; return execveat(open("/", O_PATH|O_CLOEXEC), path + 1, argv, environ, 0); }
static int do_execvpe(const char *name) { char *argv[] = { "started", "x", NULL }, *envp[] = { "A=b", NULL }; return execvpe(name, argv, envp); }
static int do_execve(const char *name) { char *argv[] = { "started", "x", NULL }; return execve(name, argv, environ); }
static int do_again(const char *word)
{
	char *argv[] = { "again", "auxv", NULL };
	return execv("/proc/self/exe", argv);
}
static int do_datagram(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
	strcpy(name.sun_path, path);
	if (bind(server, (struct sockaddr *)&name, sizeof name) || stat(path, &st) || !S_ISSOCK(st.st_mode) ||
	    sendto(client, "hello", 6, 0, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + strlen(path)) < 0 || recv(server, text, 6, 0) < 0)
		return -1;
	return unlink(path);
}
static void *in_thread(void *path) { int i; for (i = 0; i < 300; i++) if (stat(path, &(struct stat){ 0 })) return path; return NULL; }
static int do_threads(const char *path)
{
	pthread_t threads[8];
	void *failed;
	int i;
	for (i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, in_thread, (void *)path);
	for (i = 0; i < 8; i++)
		if (pthread_join(threads[i], &failed) || failed)
			return -1;
	return 0;
}

#define CALL(name) { #name, do_##name }
static const struct { const char *name; int (*function)(const char *); } calls[] = {
	CALL(lstat64), CALL(fstatat64), CALL(open_2), CALL(eaccess), CALL(statfs), CALL(realpath_chk), CALL(canonicalize),
	CALL(fchmodat), CALL(lutimes), CALL(inotify), CALL(getxattr), CALL(truncate), CALL(pathconf), CALL(fopen_append),
	CALL(renameat2), CALL(linkat), CALL(fts), CALL(nftw64), CALL(scandirat), CALL(dirfd), CALL(readlink_chk), CALL(getcwd),
	CALL(popen_status), CALL(auxv), CALL(exe), CALL(fexecve), CALL(execveat), CALL(execvpe), CALL(execve), CALL(again),
	CALL(datagram), CALL(threads),
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof calls / sizeof *calls; i++) {
		if (strcmp(calls[i].name, argv[1]))
			continue;
		errno = 0;
		if (calls[i].function(argc > 2 ? argv[2] : "") == -1) {
			printf("%s\n", errno ? strerror(errno) : "not found");
			return 1;
		}
		printf("%s\n", text);
		return 0;
	}
	return 2;
}
