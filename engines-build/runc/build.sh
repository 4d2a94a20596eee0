#!/bin/sh
# runC, one static file: Go, and C for the part that enters namespaces, against musl.
# Without checkpoints (criu), seccomp profiles and the documentation of its options.
# Contract (all engines): see engines-build/README.md, "What a build.sh is given".
set -eu

# Every library where Go looks for it; there is no network to look elsewhere.
GOPATH=$(pwd)/go
while read -r name path; do
	mkdir -p "$GOPATH/src/$(dirname "$path")"
	cp -R "$SRC/$name" "$GOPATH/src/$path"
done <<LIST
runc           github.com/opencontainers/runc
go-cgroups     github.com/opencontainers/cgroups
go-cli         github.com/urfave/cli
go-console     github.com/containerd/console
go-dbus        github.com/godbus/dbus/v5
go-ebpf        github.com/cilium/ebpf
go-fileutils   github.com/mrunalp/fileutils
go-logrus      github.com/sirupsen/logrus
go-moby-sys    github.com/moby/sys
go-netlink     github.com/vishvananda/netlink
go-netns       github.com/vishvananda/netns
go-securejoin  github.com/cyphar/filepath-securejoin
go-selinux     github.com/opencontainers/selinux
go-specs       github.com/opencontainers/runtime-spec
go-sys         golang.org/x/sys
go-systemd     github.com/coreos/go-systemd/v22
go-units       github.com/docker/go-units
LIST

case $ARCH in
x86_64) GOARCH=amd64 ;;
i386) GOARCH=386 ;;
aarch64) GOARCH=arm64 ;;
*) GOARCH=$ARCH ;;
esac
MUSL_CC=$CC
CC=$DEP_MUSL/bin/musl-cc
CGO_CFLAGS="-O2 $CFLAGS"
GOCACHE=$(pwd)/cache
export GOPATH GOARCH MUSL_CC CC CGO_CFLAGS GOCACHE
export GOROOT="$DEP_GOLANG" GOOS=linux CGO_ENABLED=1 GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOENV=off GOTELEMETRY=off

mkdir -p "$OUT/bin"
cd "$GOPATH/src/github.com/opencontainers/runc"
"$GOROOT/bin/go" build -p "$JOBS" -trimpath -buildvcs=false \
	-tags "netgo osusergo runc_nocriu urfave_cli_no_docs" \
	-ldflags "-s -w -buildid= -linkmode external -extldflags '-static -Wl,--build-id=none'" \
	-o "$OUT/bin/runc" .
