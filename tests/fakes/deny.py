"""Run a program on a kernel that forbids some system calls, as a batch system or an old docker does.

usage: python3 deny.py NAME[,NAME...] PROGRAM [ARGUMENT...]

A real seccomp filter, put in place by an ordinary process for itself (seccomp(2), bpf(4)). Some NAMEs
stand for more: "filters" for all that puts one in place, "docker" for what docker's filter refuses a container that
has no CAP_SYS_ADMIN, of what matters here.
"""

import ctypes
import errno
import os
import struct
import sys

#: System call numbers: asm/unistd_64.h of x86, asm-generic/unistd.h of aarch64.
NUMBERS = {"x86_64": {"ptrace": 101, "unshare": 272, "flock": 73, "seccomp": 317, "mount": 165,
                      "setns": 308, "clone": 56, "clone3": 435, "prctl": 157},
           "aarch64": {"ptrace": 117, "unshare": 97, "flock": 32, "seccomp": 277, "mount": 40,
                       "setns": 268, "clone": 220, "clone3": 435, "prctl": 167}}
#: NAME of the first argument's value or (as it is a mask) bits -> (system call, comparison, value).
ARGUMENTS = {"prctl(PR_SET_SECCOMP)": ("prctl", 0x15, 22),
             "clone(CLONE_NEWUSER)": ("clone", 0x45, 0x10000000)}  # BPF_JMP+JEQ+K, +JSET+K
GROUPS = {"filters": ("seccomp", "prctl(PR_SET_SECCOMP)"),
          "docker": ("unshare", "mount", "setns", "clone(CLONE_NEWUSER)")}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD+W+ABS, BPF_JMP+JEQ+K, BPF_RET+K
FIRST_ARGUMENT = 16  # its lower half, in struct seccomp_data
ALLOW, FAIL = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def deny(names, error=errno.EPERM):
    """Let the system calls ``names`` fail with ``error`` from now on."""
    table = NUMBERS[os.uname().machine]
    code = struct.pack("HBBI", LOAD, 0, 0, 0)
    for name in [part for name in names for part in GROUPS.get(name, (name,))]:
        if name in ARGUMENTS:
            call, comparison, value = ARGUMENTS[name]
            code += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 4, table[call])
            code += struct.pack("HBBI", LOAD, 0, 0, FIRST_ARGUMENT)
            code += struct.pack("HBBI", comparison, 0, 1, value)
            code += struct.pack("HBBI", RETURN, 0, 0, FAIL | error)
            code += struct.pack("HBBI", LOAD, 0, 0, 0)
            continue
        code += struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, table[name])
        code += struct.pack("HBBI", RETURN, 0, 0, FAIL | error)
    code += struct.pack("HBBI", RETURN, 0, 0, ALLOW)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filter")


if __name__ == "__main__":
    deny(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
