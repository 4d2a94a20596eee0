/*
 * A program for the inside of a container, which does as it is told:
 *
 *     guest exit N            ends with status N
 *     guest signal N          ends by signal N
 *     guest leave N STATUS    leaves a process behind that runs for N milliseconds, ends with STATUS
 *     guest wait              waits until a signal ends it; says "ready" first
 *     guest catch N           says "ready", waits for signal N, and ends with 7 if it comes
 *     guest cat               copies standard input to standard output
 *     guest thread-chdir DIR  changes directory in a thread, prints it as seen by another
 *     guest thread-exec ARG.. executes itself with ARG... from a thread
 *     guest fexec ARG...      executes itself with ARG... by descriptor
 *     guest chmod-link LINK   sets a symbolic link's mode to 0777 the way GNU tar does
 *     guest make PATH         creates a file
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

extern char **environ;
static char **arguments;

static void *change_directory(void *unused)
{
	return chdir(arguments[2]) == 0 ? "ok" : NULL;
}

static void *execute(void *unused)
{
	arguments[1] = "/guest";
	execve("/guest", arguments + 1, environ);
	return NULL;
}

static void *in_thread(void *(*function)(void *))
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, function, NULL) != 0 || pthread_join(thread, &result) != 0)
		exit(100);
	return result;
}

static int say(const char *text)
{
	return puts(text) < 0 || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	const char *what = argv[1];
	char buffer[4096];
	ssize_t count;

	arguments = argv;
	if (strcmp(what, "exit") == 0)
		return atoi(argv[2]);
	if (strcmp(what, "signal") == 0) {
		kill(getpid(), atoi(argv[2]));
		pause();
	}
	if (strcmp(what, "leave") == 0) {
		if (fork() == 0) {
			usleep(atoi(argv[2]) * 1000);
			_exit(99);
		}
		return atoi(argv[3]);
	}
	if (strcmp(what, "wait") == 0) {
		say("ready");
		for (;;)
			pause();
	}
	if (strcmp(what, "catch") == 0) {
		sigset_t set;
		int got;

		sigemptyset(&set);
		sigaddset(&set, atoi(argv[2]));
		sigprocmask(SIG_BLOCK, &set, NULL);
		say("ready");
		sigwait(&set, &got);
		return got == atoi(argv[2]) ? 7 : 100;
	}
	if (strcmp(what, "cat") == 0) {
		while ((count = read(0, buffer, sizeof(buffer))) > 0)
			if (write(1, buffer, count) != count)
				return 100;
		return 0;
	}
	if (strcmp(what, "thread-chdir") == 0) {
		if (in_thread(change_directory) == NULL || getcwd(buffer, sizeof(buffer)) == NULL)
			return 100;
		return say(buffer);
	}
	if (strcmp(what, "thread-exec") == 0) {
		in_thread(execute);
		return 100;
	}
	if (strcmp(what, "fexec") == 0) {
		arguments[1] = "/guest";
		fexecve(open("/guest", O_RDONLY | O_CLOEXEC), arguments + 1, environ);
		return 100;
	}
	if (strcmp(what, "chmod-link") == 0) {
		syscall(SYS_fchmodat2, AT_FDCWD, argv[2], 0777, AT_SYMLINK_NOFOLLOW);
		return 0;
	}
	if (strcmp(what, "make") == 0)
		return open(argv[2], O_WRONLY | O_CREAT | O_EXCL, 0644) < 0;
	return 101;
}
