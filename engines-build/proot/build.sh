#!/bin/sh
# PRoot with talloc, one static file against musl.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

MUSL_CC=$CC
export MUSL_CC
musl_cc=$DEP_MUSL/bin/musl-cc

# --- talloc: one file -------------------------------------------------------------------------
talloc=$SRC/talloc/lib/talloc
version=$(sed -n "s/^VERSION = '\(.*\)'$/\1/p" "$talloc/wscript")
mkdir -p talloc/include
cp "$talloc/talloc.h" talloc/include/
cp "$ENGINE_DIR/talloc-replace.h" talloc/replace.h
IFS=. read -r major minor release <<EOF
$version
EOF
$musl_cc $CFLAGS -O2 -Italloc -Italloc/include -D_GNU_SOURCE \
	-DTALLOC_BUILD_VERSION_MAJOR="$major" -DTALLOC_BUILD_VERSION_MINOR="$minor" \
	-DTALLOC_BUILD_VERSION_RELEASE="$release" -c "$talloc/talloc.c" -o talloc/talloc.o
$AR rcsD talloc/libtalloc.a talloc/talloc.o

# --- PRoot ------------------------------------------------------------------------------------
# Its makefile adds to CPPFLAGS, CFLAGS and LDFLAGS from the environment. Everything that it would
# find out by itself about the machine (git tags, swig, python, pkg-config) is said here instead.
work=$(pwd)
cp -R "$SRC/proot" proot
cd proot/src

# The loaders are freestanding: they are compiled and linked by the plain compiler, never with musl's
# start files; -m32 makes the one for 32-bit programs on x86_64.
cat > "$work/cc" <<EOF
#!/bin/sh
for argument do
	case \$argument in
	-nostdlib) exec $CC "\$@" -no-pie ;;
	esac
done
exec "$musl_cc" "\$@"
EOF
chmod +x "$work/cc"

loaders=loader.elf
[ "$ARCH" != x86_64 ] || loaders="$loaders loader-m32.elf"

CPPFLAGS="-I$work/talloc/include" CFLAGS="$CFLAGS -Werror=implicit-function-declaration" LDFLAGS="-L$work/talloc -ltalloc -Wl,--build-id=none" \
make -f GNUmakefile -j "$JOBS" proot $loaders \
	CC="$work/cc" STRIP="$STRIP" OBJCOPY="$OBJCOPY" OBJDUMP="$OBJDUMP" \
	VERSION="$VERSION" \
	GIT=false HAS_SWIG= HAS_PYTHON_CONFIG= V=1

# A PRoot without its seccomp filter would still run, and would be slow or not contain anything.
for feature in HAVE_SECCOMP_FILTER HAVE_PROCESS_VM; do
	grep -q "define $feature" build.h || { echo "proot: built without $feature" >&2; exit 1; }
done

mkdir -p "$OUT/bin"
$STRIP -o "$OUT/bin/proot" proot
for loader in $loaders; do  # the very files that are in PRoot, which uses them if they lie beside it
	cp "$loader" "$OUT/bin/$loader"
	chmod 0755 "$OUT/bin/$loader"
done
