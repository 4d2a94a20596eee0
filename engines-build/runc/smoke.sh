#!/bin/sh
# runC knows its version, can write a configuration, and, where the kernel lets this user make
# namespaces, runs a program without privileges and without cgroups, and passes its status on.
set -eu
runc="${RUN-} $OUT/bin/runc"
$runc --version | grep -F "runc version $VERSION"
mkdir -p bundle/rootfs
cd bundle
$runc spec --rootless
grep -q '"ociVersion"' config.json
[ -n "${DEP_MUSL-}" ] && [ "$(id -u)" -ne 0 ] && unshare -Ur true 2> unshare.txt || exit 0
printf 'int main(void) { return 42; }\n' > guest.c
MUSL_CC=$CC "$DEP_MUSL/bin/musl-cc" guest.c -o rootfs/guest
sed -i -e 's,"sh","/guest",' -e 's,"terminal": true,"terminal": false,' config.json
sed -i 's,^\(\t*\)"sh"$,\1"/guest",' config.json
status=0
$runc --root "$(pwd)/state" run smoke-$$ < /dev/null || status=$?
[ "$status" -eq 42 ] || { echo "runc: the guest ended with $status, not 42" >&2; exit 1; }
