# What works inside: run in a container by test_matrix.py, with sh. Prints a line for each check:
# "NAME ok", "NAME absent" (the image has no such program) or "NAME failed: the last that was said".

work=/tmp/checks
rm -rf $work && mkdir $work && cd $work || exit 1

has() {
    for program do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

check() {
    name=$1
    mkdir -p "$work/$name" && cd "$work/$name" || return
    if said=$( (set -e; "$name") 2>&1 ); then
        echo "$name ok"
    else
        case $? in
            77) echo "$name absent" ;;
            *) echo "$name failed: $(echo "$said" | tail -n 1)" ;;
        esac
    fi
}

list() { ls / | grep -qx etc; ls -l /bin/sh >/dev/null; test ! -e "$HOST_ONLY"; }

bash_c() { has bash || exit 77; test "$(bash -c 'echo $((6 * 7))')" = 42; }

pipes() { test "$(seq 1000 | sort -rn | head -n 1)" = 1000; test "$(yes | head -n 5000 | wc -l)" -eq 5000; }

python() { has python3 || exit 77; test "$(python3 -c 'import os; print(os.path.exists("/etc/passwd"), 6 * 7)')" = "True 42"; }

c_program() { has /bin/program || exit 77; test "$(/bin/program)" = fine; }

threads() {
    has python3 || exit 77
    python3 -c '
import threading
done = []
def work(n):
    with open("/tmp/checks/t%d" % n, "w") as file:
        file.write(str(n))
    done.append(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert sorted(done) == list(range(20))'
}

unix_socket() {
    has python3 || exit 77
    python3 -c '
import os, socket
server = socket.socket(socket.AF_UNIX); server.bind("/tmp/checks/socket"); server.listen(1)
client = socket.socket(socket.AF_UNIX); client.connect("/tmp/checks/socket")
peer, address = server.accept(); peer.sendall(b"x")
assert client.recv(1) == b"x"
assert os.path.exists("/tmp/checks/socket")'
}

socket_name() {
    has python3 || exit 77
    python3 -c '
import socket
server = socket.socket(socket.AF_UNIX); server.bind("/tmp/checks/named"); server.listen(1)
client = socket.socket(socket.AF_UNIX); client.connect("/tmp/checks/named")
assert client.getpeername() == "/tmp/checks/named", client.getpeername()'
}

git_commit() {
    has git || exit 77
    git init -q . && echo x >file && git add file
    git -c user.name=x -c user.email=x@x commit -q -m first
    test "$(git log --oneline | wc -l)" -eq 1 && git status --short
}

tar_2000() {
    has tar || exit 77
    mkdir in out
    i=0
    while test $i -lt 2000; do echo $i >in/$i; i=$((i + 1)); done
    tar -cf all.tar in && tar -C out -xf all.tar
    test "$(ls out/in | wc -l)" -eq 2000 && test "$(cat out/in/1999)" = 1999
}

script() {
    printf '#!/bin/sh\necho "$0 $1"\n' >script && chmod 755 script
    test "$(./script a)" = "./script a"
    printf '#! /usr/bin/env sh\necho env\n' >by-env && chmod 755 by-env
    test ! -e /usr/bin/env || test "$(./by-env)" = env
}

links() {
    echo x >"$PWD/file" && ln -s "$PWD/file" absolute && ln -s file relative && ln -s /etc/passwd outside
    test "$(cat absolute)$(cat relative)" = xx && grep -q root outside
    test "$(readlink absolute)" = "$PWD/file"
    mkdir d && ln -s "$PWD/d" dl && echo y >dl/f && test "$(cat d/f)" = y
}

# /volume/sub is the volume; it is below a directory that the image does not have
volume() {
    grep -qx given /volume/sub/file && echo written >/volume/sub/written
    cd /volume/sub && cd .. && test "$(pwd)" = /volume && test "$(ls)" = sub
}

useradd_() { has useradd || exit 77; userdel -r somebody >/dev/null 2>&1 || true; useradd -m somebody && grep -q ^somebody: /etc/passwd && test -d /home/somebody; }

apt_install() {
    has apt-get dpkg-deb || exit 77
    mkdir -p p/DEBIAN p/usr/share/checked && echo x >p/usr/share/checked/file
    printf 'Package: checked\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' >p/DEBIAN/control
    dpkg-deb -b p checked.deb >/dev/null
    apt-get install -y -q ./checked.deb && test -e /usr/share/checked/file && apt-get remove -y -q checked
}

environment() { test "$(env -i /bin/sh -c 'ls / | grep -x etc')" = etc; }

for name in list bash_c pipes c_program python threads unix_socket socket_name git_commit tar_2000 script links volume environment useradd_ \
    apt_install; do
    check $name
done
rm -rf $work
