#!/bin/sh
# zstd that only decompresses: zstd -dc < FILE.zst. Without threads, dictionaries, old formats and
# traces it is a tenth of the whole program.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

MUSL_CC=$CC
export MUSL_CC
cc=$DEP_MUSL/bin/musl-cc
flags="$CFLAGS -O2 -ffunction-sections -fdata-sections -I$SRC/zstd/lib -I$SRC/zstd/lib/common
	-DZSTD_NOBENCH -DZSTD_NODICT -DZSTD_NOCOMPRESS -DZSTD_NOTRACE -DZSTD_LEGACY_SUPPORT=0
	-DXXH_NAMESPACE=ZSTD_ -DBACKTRACE_ENABLE=0"

mkdir objects
printf '%s\n' "$SRC"/zstd/lib/common/*.c "$SRC"/zstd/lib/decompress/*.[cS] "$SRC"/zstd/programs/zstdcli.c \
	"$SRC"/zstd/programs/util.c "$SRC"/zstd/programs/timefn.c "$SRC"/zstd/programs/fileio.c "$SRC"/zstd/programs/fileio_asyncio.c |
	xargs -P "$JOBS" -I{} sh -c "$(echo $cc $flags) -c {} -o objects/\$(basename {}).o"
$cc -Wl,--gc-sections,--build-id=none objects/*.o -o zstd
mkdir -p "$OUT/bin"
$STRIP -o "$OUT/bin/zstd" zstd
