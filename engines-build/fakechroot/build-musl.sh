#!/bin/sh
# libfakechroot for containers with musl: run by build.sh, with what that is given, in a directory of its own.
# usage: build-musl.sh RESULT
set -eu

MUSL_CC=$CC
export MUSL_CC
musl_cc=$DEP_MUSL/bin/musl-cc
source=$SRC/fakechroot

# What configure would find out, without running it: which functions this musl has, and which headers.
"$($CC -print-prog-name=nm)" -g --defined-only "$DEP_MUSL/lib/libc.a" 2> /dev/null | awk 'NF == 3 { print $3 }' | sort -u > functions
upper() { printf '%s' "$1" | tr 'a-z/.' 'A-Z__'; }
{
	cat "$ENGINE_DIR/config-musl.h"
	printf '#define VERSION "%s"\n#define FAKECHROOT VERSION\n' "$VERSION"
	sed -n '/^AC_CHECK_FUNCS/,/^]/s/^ \{4\}\([a-z_0-9]*\)$/\1/p' "$source/configure.ac" | while read -r name; do
		! grep -qx "$name" functions || echo "#define HAVE_$(upper "$name") 1"
	done
	sed -n '/^AC_CHECK_HEADERS(m4/,/^]/s/^ \{4\}\([a-z_/.]*\.h\)$/\1/p' "$source/configure.ac" | while read -r name; do
		[ ! -e "$DEP_MUSL/include/$name" ] || echo "#define HAVE_$(upper "$name") 1"
	done
	# Where a 32-bit musl has functions for both sizes of time, the headers mean the new ones: name them so.
	if grep -qx __stat_time64 functions; then
		echo "#define HAVE___STAT_TIME64 1"
		for name in stat lstat fstatat utimes lutimes utimensat futimesat; do
			echo "#define $name __${name}_time64"
		done
		echo "#define utime __utime64"
	fi
} > config.h

for file in "$source"/src/*.c; do
	$musl_cc $CFLAGS -O2 -fPIC -fno-stack-protector -Wno-incompatible-pointer-types -Werror=implicit-function-declaration \
		-I. -I"$source/src" -c "$file" -o "$(basename "$file" .c).o"
done
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
$STRIP -o "$1" libfakechroot.so
