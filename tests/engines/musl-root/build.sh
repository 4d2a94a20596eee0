#!/bin/sh
# A root file system with musl as its C library: busybox, and the program that makes single calls.
# Contract: that of the engines, see engines-build/README.md, "What a build.sh is given".
set -eu

loader=ld-musl-$ARCH.so.1
case $ARCH in
ppc64le)
	loader=ld-musl-powerpc64le.so.1
	CFLAGS="$CFLAGS -mlong-double-64"
	;;
esac
mkdir -p "$OUT/root/lib" "$OUT/root/bin" musl

# --- musl, to be loaded ---------------------------------------------------------------------------
(
	cd musl
	"$SRC/musl/configure" --target="$TRIPLET" --disable-static --disable-wrapper \
		CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="$CFLAGS -O1 -pipe"
	make -j "$JOBS" lib/libc.so
)
$STRIP -o "$OUT/root/lib/$loader" musl/lib/libc.so

# --- a compiler for it ----------------------------------------------------------------------------
cat > cc <<END
#!/bin/sh
include="-nostdinc -isystem $DEP_MUSL/include -isystem $($CC -print-file-name=include)"
for argument do
	case \$argument in
	-c|-S|-E|-M|-MM|-fsyntax-only|-nostdlib|-r|-shared) exec $CC \$include "\$@" ;;
	esac
done
exec $CC \$include -fPIE -pie -nostdlib "$DEP_MUSL/lib/Scrt1.o" "$DEP_MUSL/lib/crti.o" "\$@" \\
	-L"$PWD/musl/lib" -lc -lgcc -Wl,-dynamic-linker,/lib/$loader "$DEP_MUSL/lib/crtn.o"
END
chmod +x cc

# --- busybox: a shell, and what the tests say in it -----------------------------------------------
cp -R "$SRC/busybox" busybox
make -C busybox allnoconfig > /dev/null
for option in ASH ASH_CMDCMD ASH_ECHO ASH_GETOPTS ASH_PRINTF ASH_TEST CAT CHMOD CP ECHO ENV FALSE FEATURE_LS_USERNAME \
	FEATURE_SH_MATH FEATURE_STAT_FORMAT FEATURE_TAR_CREATE FIND GREP HEAD ID LFS LN LS MKDIR MKTEMP MV PWD READLINK \
	REALPATH RM RMDIR SED SEQ SH_IS_ASH SLEEP SORT STAT TAIL TAR TEST TOUCH TRUE WC WHOAMI YES; do
	sed -i "s/^# CONFIG_$option is not set$/CONFIG_$option=y/" busybox/.config
done
yes '' | make -C busybox oldconfig > /dev/null
make -C busybox -j "$JOBS" CC="$PWD/cc" HOSTCC="$BUILD_CC" AR="$AR" LD="$($CC -print-prog-name=ld)" \
	NM="$($CC -print-prog-name=nm)" STRIP="$STRIP" OBJCOPY="$OBJCOPY" CONFIG_EXTRA_CFLAGS="$CFLAGS" busybox busybox.links
cp busybox/busybox "$OUT/root/bin/"
sed 's,.*/,,' busybox/busybox.links | while read -r name; do
	ln -s busybox "$OUT/root/bin/$name"
done

# --- single calls ---------------------------------------------------------------------------------
# As programs built with musl before 1.2.4 do, it calls open64 and fopen64, which only the loader still knows.
echo 'int open64(void) { return 0; } int fopen64(void) { return 0; }' | ./cc $CFLAGS -fPIC -shared -nostdlib -Wl,-soname,libc.64.so -x c - -o lib64.so
./cc $CFLAGS -O1 -Wall -Werror "$ENGINE_DIR/calls.c" -o "$OUT/root/bin/calls" -L. -l64
# Several at once, as programs make them.
./cc $CFLAGS -O1 -Wall -Werror "$ENGINE_DIR/program.c" -o "$OUT/root/bin/program"
echo 'int answer(void) { return 42; }' | ./cc $CFLAGS -fPIC -shared -nostdlib -x c - -o "$OUT/root/lib/libanswer.so"
