#!/bin/sh
# A gzip inflater around isa-l's, which is in assembler on x86_64 and aarch64 and in C elsewhere.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

MUSL_CC=$CC
export MUSL_CC
cc="$DEP_MUSL/bin/musl-cc $CFLAGS -O2 -ffunction-sections -fdata-sections -DNDEBUG -I$SRC/isa-l/include -I$SRC/isa-l/igzip"
isal=$SRC/isa-l

case $ARCH in
x86_64)
	# the paths in its line markers are not written: no -g
	for source in igzip/igzip_decode_block_stateless_01 igzip/igzip_decode_block_stateless_04 igzip/rfc1951_lookup crc/crc32_gzip_refl_by8
	do
		$NASM -f elf64 -DAS_FEATURE_LEVEL=4 -I "$isal/include/" -I "$isal/igzip/" -I "$isal/crc/" \
			"$isal/$source.asm" -o "$(basename "$source").o"
	done ;;
aarch64)
	for source in igzip/aarch64/igzip_decode_huffman_code_block_aarch64 crc/aarch64/crc32_gzip_refl_crc_ext
	do
		$cc -D__ASSEMBLY__ -I"$(dirname "$isal/$source")" -c "$isal/$source.S" -o "$(basename "$source").o"
	done ;;
esac
for source in "$isal/igzip/igzip_inflate.c" "$isal/igzip/hufftables_c.c" "$isal/crc/crc_base.c"; do
	$cc -c "$source" -o "$(basename "$source").o"
done
for source in main processor; do
	$cc "-DVERSION=\"$VERSION\"" -Wall -Wextra -Werror -c "$ENGINE_DIR/$source.c" -o "$source.o"
done
$cc -Wl,--gc-sections,--build-id=none,-z,noexecstack ./*.o -o igzip
mkdir -p "$OUT/bin"
$STRIP -o "$OUT/bin/igzip" igzip
