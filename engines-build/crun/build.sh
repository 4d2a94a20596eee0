#!/bin/sh
# crun with libcap, libseccomp and its own yajl, one static file against the toolchain's glibc (crun
# needs argp, which musl lacks).
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

CFLAGS="$CFLAGS -O2"
export CFLAGS
deps=$(pwd)/deps
mkdir -p "$deps/include/sys" "$deps/lib"

# --- libcap: a static archive, made with its own makefile ----------------------------------------
cp -R "$SRC/libcap" libcap
make -C libcap/libcap -j "$JOBS" libcap.a \
	SHARED=no PTHREADS=no USE_GPERF=no GOLANG=no lib=lib \
	CC="$CC" BUILD_CC="${BUILD_CC:-cc}" AR="$AR" RANLIB="$RANLIB"
cp libcap/libcap/libcap.a "$deps/lib/"
cp libcap/libcap/include/sys/capability.h "$deps/include/sys/"

# --- libseccomp -------------------------------------------------------------------------------
# gperf's output is in the source archive; "GPERF=false" fails the build if it were made anew.
mkdir libseccomp
( cd libseccomp
  "$SRC/libseccomp/configure" --host="$TRIPLET" --prefix="$deps" --libdir="$deps/lib" \
	--disable-shared --enable-static --disable-dependency-tracking --disable-python \
	CC="$CC" AR="$AR" RANLIB="$RANLIB" STRIP="$STRIP" CFLAGS="$CFLAGS" GPERF=false
  make -j "$JOBS" -C include install
  make -j "$JOBS" -C src libseccomp.la
  cp src/.libs/libseccomp.a "$deps/lib/" )

# --- crun -------------------------------------------------------------------------------------
mkdir crun
cd crun
"$SRC/crun/configure" --host="$TRIPLET" --disable-shared --enable-static \
	--disable-dependency-tracking --enable-embedded-yajl --disable-systemd --disable-bpf \
	--disable-criu --disable-dl --without-python-bindings \
	CC="$CC" AR="$AR" RANLIB="$RANLIB" STRIP="$STRIP" GPERF=false \
	CFLAGS="$CFLAGS" CPPFLAGS="-I$deps/include" \
	LDFLAGS="-L$deps/lib -Wl,--build-id=none" CRUN_LDFLAGS=-all-static
make git-version.h
# The generated parsers come first and one after another: nothing says that crun's objects need them,
# and two generators at once trip over each other.
make -C libocispec -j 1 generate
make -C libocispec/yajl -j "$JOBS" libyajl.la
make -j "$JOBS" crun

mkdir -p "$OUT/bin"
$STRIP -o "$OUT/bin/crun" crun
