#!/bin/sh
# patchelf, one static file against the toolchain's C++ and C libraries.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

$CXX $CFLAGS -std=c++17 -Os -ffunction-sections -fdata-sections -D_FILE_OFFSET_BITS=64 \
	-DPACKAGE_STRING="\"patchelf $VERSION\"" -I"$SRC/patchelf/src" \
	-static -Wl,--gc-sections,--build-id=none "$SRC/patchelf/src/patchelf.cc" -o patchelf
mkdir -p "$OUT/bin"
$STRIP -o "$OUT/bin/patchelf" patchelf
