#!/bin/sh
# musl as a static C library, with the kernel's headers beside it, and a compiler wrapper for it.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

case $ARCH in
ppc64le) CFLAGS="$CFLAGS -mlong-double-64" ;;  # musl has no IBM 128-bit long double
esac

"$SRC/musl/configure" --target="$TRIPLET" --prefix="$OUT" --disable-shared --disable-wrapper \
	CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="$CFLAGS -O2 -pipe"
make -j "$JOBS"
make install

# The kernel's headers (seccomp, audit, filter...) belong to no C library: take the toolchain's.
find_header() {
	echo "#include <$1>" | $CC -E -x c - | sed -n 's/^# 1 "\(\/.*\/'"$(basename "$1")"'\)".*/\1/p' | head -n 1
}
copy_tree() { # HEADER DIRECTORY: copies the directory in which the compiler finds HEADER
	found=$(find_header "$1")
	[ -n "$found" ] || { echo "musl: the toolchain has no <$1> (package linux-libc-dev)" >&2; exit 1; }
	mkdir -p "$OUT/include/$2"
	cp -RL "$(dirname "$found")/." "$OUT/include/$2/"
}
copy_tree linux/seccomp.h linux
copy_tree asm/unistd.h asm
copy_tree asm-generic/unistd.h asm-generic
cp "$(find_header sys/queue.h)" "$OUT/include/sys/queue.h"  # PRoot uses it; musl leaves it out


mkdir -p "$OUT/bin"
install -m 0755 "$ENGINE_DIR/musl-cc" "$OUT/bin/musl-cc"
