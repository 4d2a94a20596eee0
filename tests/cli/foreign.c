/* Says what processor it is on and who is root here; "child STATUS" does so once more, executed anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct utsname name;
	char line[16] = "";
	int status = 0;
	FILE *file = fopen("/etc/passwd", "r");

	if (!file || !fgets(line, sizeof(line), file) || uname(&name))
		return 1;
	printf("%s %.10s\n", name.machine, line);
	fflush(stdout);
	if (argc < 3 || strcmp(argv[1], "child"))
		return argc > 1 ? atoi(argv[1]) : 0;
	if (!fork()) {
		execl("/bin/program", "program", argv[2], (char *) NULL);
		_exit(1);
	}
	wait(&status);
	return WEXITSTATUS(status);
}
