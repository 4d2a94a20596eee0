#!/bin/sh
# A root prefix is set once however often it is asked for, and taken away again; the program still runs;
# a static one stays as it is.
set -eu
patchelf="${RUN-} $OUT/bin/patchelf"
prefix=$(pwd)/root
printf 'int main(void) { return 42; }\n' > guest.c
$CC guest.c -o guest -Wl,-rpath,/opt/lib:\$ORIGIN/lib:/usr/lib
loader=$($patchelf --print-interpreter guest)
$patchelf --set-root-prefix "$prefix" guest
$patchelf --set-root-prefix "$prefix/" guest
[ "$($patchelf --print-interpreter guest)" = "$prefix$loader" ]
[ "$($patchelf --print-rpath guest)" = "$prefix/opt/lib:\$ORIGIN/lib:$prefix/usr/lib" ]
$patchelf --restore-root-prefix "$prefix" guest
[ "$($patchelf --print-interpreter guest | tr -d '\000')" = "$loader" ]
[ "$($patchelf --print-rpath guest)" = "/opt/lib:\$ORIGIN/lib:/usr/lib" ]
if [ -z "${RUN-}" ] && [ -e "$loader" ]; then
	status=0
	./guest || status=$?
	[ "$status" -eq 42 ]
fi
cp "$OUT/bin/patchelf" static
$patchelf --set-root-prefix "$prefix" static
cmp "$OUT/bin/patchelf" static
