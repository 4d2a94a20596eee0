#!/bin/sh
# libfakechroot.so for every glibc from FLOOR on. The objects come from the toolchain's compiler and
# headers; what makes them old is that they are linked with stubs of an old C library (see stubs.py).
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

case $ARCH in
x86_64)		FLOOR=2.4;;		# where openat and its like came
i386)		FLOOR=2.4;;
aarch64)	FLOOR=2.17;;	# the first with this architecture
ppc64le)	FLOOR=2.17;;
esac

mkdir glibc
cp "$ENGINE_DIR/config-glibc.h" glibc/config.h

# --- the C library to link with ------------------------------------------------------------------
python3 "$ENGINE_DIR/stubs.py" "$($CC -print-file-name=libc.so.6)" "$FLOOR" glibc
for name in libc.so.6 libdl.so.2; do
	$CC -shared -nostdlib -Wl,-soname,$name -Wl,--version-script,glibc/$name.map \
		-o glibc/$name -x assembler glibc/$name.s
done

# --- the library ---------------------------------------------------------------------------------
# The wrappers have the names of what _FORTIFY_SOURCE redefines. No stack protector: its canary is not
# there yet when a C library's first calls come in.
for source in "$SRC"/fakechroot/src/*.c; do
	echo "$source"
done | xargs -P "$JOBS" -I {} sh -c '"$@" -o "glibc/$(basename {} .c).o" {}' - \
	$CC $CFLAGS -c -O2 -fPIC -std=gnu11 -fno-strict-aliasing -fno-stack-protector -U_FORTIFY_SOURCE \
	-fvisibility=default -Wall -Wno-unused "-DVERSION=\"$VERSION\"" \
	-Iglibc "-I$SRC/fakechroot/src"
# glibc's wordexp starts the host's shell, by calls inside itself. musl's calls what we wrap.
cat > glibc/pthread_impl.h <<END
#include <pthread.h>
#include <sys/syscall.h>
#define pipe2(fds, flags) syscall(SYS_pipe2, fds, flags)  /* glibc 2.9 */
#define __block_all_sigs(old) do { sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, old); } while (0)
#define __restore_sigs(old) sigprocmask(SIG_SETMASK, old, NULL)
END
$CC $CFLAGS -c -O2 -fPIC -std=gnu11 -fno-stack-protector -U_FORTIFY_SOURCE -D_GNU_SOURCE -Iglibc \
	-o glibc/wordexp.o "$SRC/musl/src/misc/wordexp.c"
$CC -shared -nostdlib -Wl,-soname,libfakechroot.so -Wl,--build-id=none -Wl,-z,defs -Wl,-z,noexecstack \
	-Wl,--hash-style=both -Wl,--as-needed -o glibc/libfakechroot.so glibc/*.o \
	glibc/libc.so.6 glibc/libdl.so.2 -lgcc

# --- what it asks of the C library ---------------------------------------------------------------
newest=$($OBJDUMP -T glibc/libfakechroot.so | grep -o 'GLIBC_[0-9.]*' | sort -u -t. -k1,1 -k2,2n -k3,3n | tail -n 1)
echo "needs $newest; the floor is $FLOOR"

mkdir -p "$OUT/lib"
$STRIP -o "$OUT/lib/libfakechroot.so" glibc/libfakechroot.so

# --- for musl --------------------------------------------------------------------------------------
mkdir musl
( cd musl && sh "$ENGINE_DIR/build-musl.sh" "$OUT/lib/libfakechroot-musl.so" )
