#!/bin/sh
# libfakechroot for containers with musl: run by build.sh, with what that is given, in a directory of its own.
# usage: build-musl.sh RESULT
set -eu

MUSL_CC=$CC
export MUSL_CC
musl_cc=$DEP_MUSL/bin/musl-cc
case $ARCH in
aarch64) CFLAGS="$CFLAGS -mno-outline-atomics" ;;  # gcc's helpers for atomics ask glibc what the processor can do
esac
source=$SRC/fakechroot

# What configure would find out, without running it: the functions that this musl has.
$OBJDUMP -t "$DEP_MUSL/lib/libc.a" | awk '/^[0-9a-f]+ (g| w)/ && !/ \*UND\*/ && !/ \.hidden / { print $NF }' | sort -u > functions
{
	cat "$ENGINE_DIR/config-musl.h"
	# __fxstat is there for programs built with glibc; it knows no 64-bit times.
	awk '$1 != "__fxstat" { print "#define HAVE_" toupper($1) " 1" }' functions
	# Where a 32-bit musl has functions for both sizes of time, the headers mean the new ones: name them so.
	if grep -qx __stat_time64 functions; then
		echo "#define HAVE___STAT_TIME64 1"
		for name in stat lstat fstatat utimes lutimes utimensat futimesat; do
			echo "#define $name __${name}_time64"
		done
		echo "#define utime __utime64"
	fi
} > config.h

compile() { # FILE OPTION...: to an object of the same name
	object=$(basename "$1" .c).o
	$musl_cc $CFLAGS -O2 -fPIC -std=gnu11 -fno-stack-protector -Wall -Wno-unused -Wno-incompatible-pointer-types \
		-Werror=implicit-function-declaration "-DVERSION=\"$VERSION\"" -I. -I"$source/src" -include config.h -c "$@" -o "$object"
}
for file in "$source"/src/*.c; do
	[ "${file##*/}" = glob.c ] || compile "$file"
done
# musl's own glob and wordexp, compiled in here, open directories and start the shell by our wrappers.
cat > pthread_impl.h <<END
#include <pthread.h>
#define __block_all_sigs(old) do { sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, old); } while (0)
#define __restore_sigs(old) sigprocmask(SIG_SETMASK, old, NULL)
END
compile "$SRC/musl/src/regex/glob.c" -D__strchrnul=strchrnul -D_GNU_SOURCE
compile "$SRC/musl/src/misc/wordexp.c" -D_GNU_SOURCE
# The names are the right ones already, and musl before 1.2 has no other dlsym.
$OBJCOPY --redefine-sym __dlsym_time64=dlsym libfakechroot.o

# Programs built with musl before 1.2.4 may call a function by its "64" name, which is the same function.
large=
for name in creat fopen freopen fstatat ftw glob lstat mkostemp mkostemps mkstemp mkstemps nftw open openat scandir \
	stat statfs statvfs truncate __fxstatat __lxstat __xstat; do
	large="$large -Wl,--defsym,${name}64=$name"
done

# No C library is named: the one of the program it is loaded into has all that is missing.
$musl_cc $CFLAGS -nostdlib -shared -Wl,-O1,--build-id=none,-z,relro,-z,noexecstack $large -o libfakechroot.so *.o -lgcc
$OBJDUMP -T libfakechroot.so | awk '/ \*UND\*/ { print $NF }' | sort -u > needed
if comm -23 needed functions | grep .; then
	echo "fakechroot: musl has none of these" >&2
	exit 1
fi
$STRIP -o "$1" libfakechroot.so
