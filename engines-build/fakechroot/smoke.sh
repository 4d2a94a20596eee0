#!/bin/sh
# A program of the toolchain's C library finds a file that is in the root only, by way of an absolute link.
set -eu
case $ARCH in
x86_64)		loader=ld-linux-x86-64.so.2;;
i386)		loader=ld-linux.so.2;;
aarch64)	loader=ld-linux-aarch64.so.1;;
ppc64le)	loader=ld64.so.2;;
esac
cat > smoke.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	char text[32] = "";
	FILE *file = fopen("/link/fakechroot-smoke", "r");
	if (file == NULL || fgets(text, sizeof(text), file) == NULL || chdir("/link") || !getcwd(text + 7, sizeof(text) - 7))
		return 1;
	return puts(text) < 0;
}
END
$CC -O1 -o smoke smoke.c
mkdir -p root/directory
ln -s /directory root/link
printf 'inside ' > root/directory/fakechroot-smoke
LD_PRELOAD=$OUT/lib/libfakechroot.so FAKECHROOT_BASE=$(pwd)/root FAKECHROOT_EXPAND_SYMLINKS=true \
	${RUN-} "$($CC -print-file-name=$loader)" --library-path "$(dirname "$($CC -print-file-name=libc.so.6)")" ./smoke > said
grep -x 'inside /directory' said
