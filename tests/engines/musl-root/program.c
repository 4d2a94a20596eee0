/* What a program of an image does: threads, files, links, a socket, a child. Says "fine", or what is not. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 16

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void *write_file(void *argument)
{
	char path[64];
	FILE *file;
	snprintf(path, sizeof(path), "/tmp/program-%ld", (long) argument);
	file = fopen(path, "w");
	if (!file || fputs(path, file) < 0 || fclose(file))
		return "";
	return NULL;
}

static void threads(void)
{
	pthread_t started[THREADS];
	char path[64];
	void *failed;
	long i;
	for (i = 0; i < THREADS; i++)
		must(!(errno = pthread_create(&started[i], NULL, write_file, (void *) i)), "pthread_create");
	for (i = 0; i < THREADS; i++) {
		must(!(errno = pthread_join(started[i], &failed)) && !failed, "a thread");
		snprintf(path, sizeof(path), "/tmp/program-%ld", i);
		must(!unlink(path), "unlink");
	}
}

static void links(void)
{
	char target[64] = "", whole[4096];
	must(!symlink("/etc/passwd", "/tmp/program-link"), "symlink");
	must(readlink("/tmp/program-link", target, sizeof(target) - 1) == 11 && !strcmp(target, "/etc/passwd"), "readlink");
	must(realpath("/tmp/program-link", whole) && !strcmp(whole, "/etc/passwd"), "realpath");
	must(!unlink("/tmp/program-link"), "unlink");
	must(!chdir("/etc") && getcwd(whole, sizeof(whole)) && !strcmp(whole, "/etc"), "getcwd");
}

static void unix_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/program-socket" };
	struct stat status;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	char byte = 0;
	must(!bind(server, (struct sockaddr *) &address, sizeof(address)) && !listen(server, 1), "bind");
	must(!connect(client, (struct sockaddr *) &address, sizeof(address)), "connect");
	must((peer = accept(server, NULL, NULL)) >= 0 && write(peer, "x", 1) == 1, "accept");
	must(read(client, &byte, 1) == 1 && byte == 'x', "read");
	must(!stat(address.sun_path, &status) && S_ISSOCK(status.st_mode) && !unlink(address.sun_path), "stat");
}

static void child(void)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "exit 7", (char *) NULL);
		_exit(1);
	}
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	must(WIFEXITED(status) && WEXITSTATUS(status) == 7, "exec");
}

int main(void)
{
	threads();
	links();
	unix_socket();
	child();
	puts("fine");
	return 0;
}
