/* calls CALL [WORD]: makes one call of the C library, and prints what it gave, or how it failed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <link.h>
#include <mntent.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>
#include <wordexp.h>

extern char **environ;
int open64(const char *, int, ...);  /* in no header of musl 1.2.5, but in its loader */
FILE *fopen64(const char *, const char *);

static struct stat st;
static char text[4096];

/* Calls that give 0 or more, or -1 and errno. */
static int do_open(const char *path) { return open(path, O_RDONLY) < 0 ? -1 : 0; }
static int do_open64(const char *path) { return open64(path, O_RDONLY) < 0 ? -1 : 0; }
static int do_openat(const char *path) { return openat(AT_FDCWD, path, O_RDONLY) < 0 ? -1 : 0; }
static int do_fopen(const char *path) { return fopen(path, "r") ? 0 : -1; }
static int do_fopen64(const char *path) { return fopen64(path, "r") ? 0 : -1; }
static int do_freopen(const char *path) { return freopen(path, "r", stdin) ? 0 : -1; }
static int do_stat(const char *path) { return stat(path, &st); }
static int do_lstat(const char *path) { return lstat(path, &st); }
static int do_fstatat(const char *path) { return fstatat(AT_FDCWD, path, &st, 0); }
static int do_statx(const char *path) { struct statx stx; return statx(AT_FDCWD, path, 0, STATX_ALL, &stx); }
static int do_access(const char *path) { return access(path, R_OK); }
static int do_faccessat(const char *path) { return faccessat(AT_FDCWD, path, R_OK, 0); }
static int do_statvfs(const char *path) { struct statvfs sv; return statvfs(path, &sv); }
static int do_ftok(const char *path) { return ftok(path, 1) == -1 ? -1 : 0; }
static int do_setmntent(const char *path) { return setmntent(path, "r") ? 0 : -1; }
static int do_utimensat(const char *path) { return utimensat(AT_FDCWD, path, NULL, 0); }
static int do_utime(const char *path) { return utime(path, NULL); }
static int do_chmod(const char *path) { return chmod(path, 0644); }
static int do_realpath(const char *path) { return realpath(path, text) ? 0 : -1; }
static int seen(const char *path, const struct stat *status, int type) { return type == FTW_NS ? 1 : 0; }
static int seen_n(const char *path, const struct stat *status, int type, struct FTW *at) { return type == FTW_NS ? 1 : 0; }
static int do_ftw(const char *path) { return ftw(path, seen, 8); }
static int do_nftw(const char *path) { return nftw(path, seen_n, 8, FTW_PHYS); }
static int do_glob(const char *path)
{
	glob_t found = { 0 };
	int status = glob(path, 0, NULL, &found);
	if (status == GLOB_NOMATCH)
		errno = ENOENT;
	else if (status == 0)
		strcpy(text, found.gl_pathv[0]);
	return status ? -1 : 0;
}
static int do_spawn_open(const char *path)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = { "true", NULL };
	pid_t child;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0);
	errno = posix_spawnp(&child, "true", &actions, NULL, argv, environ);
	return errno ? -1 : waitpid(child, NULL, 0) < 0 ? -1 : 0;
}
static int do_opendir(const char *path) { return opendir(path) ? 0 : -1; }
static int do_scandir(const char *path) { struct dirent **names; return scandir(path, &names, NULL, NULL); }
static int do_chdir(const char *path) { return chdir(path) || !getcwd(text, sizeof text) ? -1 : 0; }
static int do_statdir(const char *path) { return stat(path, &st); }

/* Calls that say something. */
static int do_getpwnam(const char *name)
{
	struct passwd *pw = getpwnam(name);
	return pw ? sprintf(text, "%d:%s", pw->pw_uid, pw->pw_dir) : -1;
}
static int do_getpwuid_r(const char *number)
{
	struct passwd pw, *found;
	char small[8], buf[512];
	if (getpwuid_r(atoi(number), &pw, small, sizeof small, &found) != ERANGE)
		return sprintf(text, "no ERANGE");
	errno = getpwuid_r(atoi(number), &pw, buf, sizeof buf, &found);
	return found ? sprintf(text, "%s:%s", found->pw_name, found->pw_shell) : -1;
}
static int do_getpwent(const char *unused)
{
	struct passwd *pw;
	while ((pw = getpwent()))
		sprintf(text + strlen(text), "%s,", pw->pw_name);
	return 0;
}
static int do_getgrnam(const char *name)
{
	struct group *gr = getgrnam(name);
	char **member;
	if (!gr)
		return -1;
	sprintf(text, "%d", gr->gr_gid);
	for (member = gr->gr_mem; *member; member++)
		sprintf(text + strlen(text), ":%s", *member);
	return 0;
}
static int do_getgrgid_r(const char *number)
{
	struct group gr, *found;
	char buf[512];
	size_t size = 2;
	do
		errno = getgrgid_r(atoi(number), &gr, buf, size++, &found);
	while (errno == ERANGE && size < sizeof buf);
	return found ? sprintf(text, "%s:%s", found->gr_name, found->gr_mem[0] ? found->gr_mem[0] : "") : -1;
}
static int do_getgrouplist(const char *name)
{
	gid_t groups[8];
	int i, count = 8;
	getgrouplist(name, 7, groups, &count);
	for (i = 0; i < count; i++)
		sprintf(text + strlen(text), "%d,", groups[i]);
	return 0;
}
static int do_getusershell(const char *unused)
{
	char *shell;
	while ((shell = getusershell()))
		sprintf(text + strlen(text), "%s,", shell);
	return 0;
}
static int do_readlink(const char *path) { ssize_t n = readlink(path, text, sizeof text); return n < 0 ? -1 : lstat(path, &st) || st.st_size == n ? 0 : -1; }
static int do_dlopen(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int (*answer)(void) = library ? dlsym(library, "answer") : NULL;
	return answer ? sprintf(text, "%d", answer()) : -1;
}
static int do_dladdr(const char *path)
{
	Dl_info info;
	void *library = dlopen(path, RTLD_NOW);
	return library && dladdr(dlsym(library, "answer"), &info) ? sprintf(text, "%s", info.dli_fname) : -1;
}
static int library_named(struct dl_phdr_info *info, size_t size, void *part)
{
	return strstr(info->dlpi_name, part) ? sprintf(text, "%s", info->dlpi_name) : 0;
}
static int do_dl_iterate_phdr(const char *path)
{
	dlopen(path, RTLD_NOW);
	return dl_iterate_phdr(library_named, strrchr(path, '/')) ? 0 : -1;
}
static int first_line(FILE *from) { return from && fgets(text, sizeof text, from) ? pclose(from) : -1; }
static int do_popen(const char *command) { return first_line(popen(command, "r")); }
static int do_system(const char *command) { return sprintf(text, "%d", WEXITSTATUS(system(command))); }
static int do_execlp(const char *word) { return execlp("echo", "echo", "told", word, (char *)NULL); }
static int do_posix_spawn(const char *path)
{
	char *argv[] = { "spawned", "a", "b c", NULL };
	pid_t child;
	int status;
	errno = posix_spawn(&child, path, NULL, NULL, argv, environ);
	return errno || waitpid(child, &status, 0) < 0 ? -1 : sprintf(text, "%d", WEXITSTATUS(status));
}
/* The environment is changed in each way that there is; a program started then finds it so, and is contained. */
static int do_environment(const char *command)
{
	static char put[] = "PUT=1";
	char *empty[] = { "ONLY=1", NULL };
	if (!strcmp(command, "setenv"))
		setenv("SET", "1", 1), putenv(put), unsetenv("HOME");
	else if (!strcmp(command, "clearenv"))
		clearenv(), setenv("SET", "1", 1);
	else if (!strcmp(command, "environ"))
		environ = empty;
	else
		return execle("/bin/calls", "calls", "getenv", "ONLY", (char *)NULL, empty);
	return execl("/bin/sh", "sh", "-c", "cat /etc/inside; echo $SET$PUT$HOME$ONLY", (char *)NULL);
}
static int do_getenv(const char *name) { return sprintf(text, "%s %d", getenv(name) ? getenv(name) : "-", access("/etc/inside", R_OK)); }
static int do_wordexp(const char *words)
{
	wordexp_t result;
	return wordexp(words, &result, 0) ? -1 : sprintf(text, "%s", result.we_wordv[0]);
}
static int do_mkstemp(const char *path)
{
	strcpy(text, path);
	return mkstemp(text) < 0 ? -1 : 0;
}
static int do_unix_socket(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX }, own;
	socklen_t size = sizeof own;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(name.sun_path, path);
	if (bind(server, (struct sockaddr *)&name, sizeof name) || listen(server, 1) ||
	    connect(client, (struct sockaddr *)&name, sizeof name) || getsockname(server, (struct sockaddr *)&own, &size))
		return -1;
	return sprintf(text, "%s", own.sun_path);
}

#define CALL(name) { #name, do_##name }
static const struct {
	const char *name;
	int (*function)(const char *);
} calls[] = {
	CALL(open), CALL(open64), CALL(openat), CALL(fopen), CALL(fopen64), CALL(freopen), CALL(stat), CALL(lstat), CALL(fstatat),
	CALL(statx), CALL(access), CALL(faccessat), CALL(statvfs), CALL(ftok), CALL(setmntent), CALL(utimensat), CALL(utime),
	CALL(chmod), CALL(realpath), CALL(ftw), CALL(nftw), CALL(glob), CALL(spawn_open), CALL(opendir), CALL(scandir),
	CALL(chdir), CALL(statdir), CALL(getpwnam), CALL(getpwuid_r), CALL(getpwent), CALL(getgrnam), CALL(getgrgid_r),
	CALL(getgrouplist), CALL(getusershell), CALL(readlink), CALL(dlopen), CALL(dladdr), CALL(dl_iterate_phdr), CALL(popen),
	CALL(system), CALL(execlp), CALL(posix_spawn), CALL(environment), CALL(getenv), CALL(wordexp), CALL(mkstemp),
	CALL(unix_socket),
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
