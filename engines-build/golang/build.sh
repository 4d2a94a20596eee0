#!/bin/sh
# The Go toolchain of Debian 13, out of its packages and installed nowhere: Debian 12 has none that
# is new enough, and the compiler of one release makes the same bytes on every machine.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

# what "go build" takes; the rest is four fifths of it
mkdir -p "$OUT/bin" "$OUT/pkg/tool"
lib=$SRC/golang-$(uname -m)/usr/lib/go-1.24
mv "$lib/VERSION" "$lib/go.env" "$OUT/"
mv "$lib/bin/go" "$OUT/bin/"
for tools in "$lib"/pkg/tool/*; do
	mkdir "$OUT/pkg/tool/$(basename "$tools")"
	for tool in asm cgo compile link; do
		mv "$tools/$tool" "$OUT/pkg/tool/$(basename "$tools")/"
	done
done
mv "$lib/../../share/go-1.24/pkg/include" "$OUT/pkg/"
sources=$SRC/golang-src/usr/share/go-1.24/src
rm -rf "$sources/cmd"
find "$sources" -name testdata -prune -exec rm -rf {} + -o -name '*_test.go' -exec rm {} +
mv "$sources" "$OUT/src"
