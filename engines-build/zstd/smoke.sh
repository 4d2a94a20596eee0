#!/bin/sh
# What is compressed comes out again, and what is cut off is not taken for whole.
set -eu
# 1000 lines "zstd works"
printf '\050\265\057\375\004\150\235\000\000\130\172\163\164\144\040\167\157\162\153\163\012\001\000\352\312\174\361\002\263\006\346\073' > good.zst
[ "$(${RUN-} "$OUT/bin/zstd" -dc < good.zst | grep -c '^zstd works$')" -eq 1000 ]
head -c 25 good.zst > short.zst
status=0
${RUN-} "$OUT/bin/zstd" -dc < short.zst > /dev/null || status=$?
[ "$status" -eq 1 ] || { echo "zstd: what is cut off gave status $status" >&2; exit 1; }
