"""Run a program on a kernel that forbids some system calls, as a batch system or an old docker does.

usage: python3 deny.py NAME[,NAME...] PROGRAM [ARGUMENT...]

A real seccomp filter, put in place by an ordinary process for itself (seccomp(2), bpf(4)).
"""

import ctypes
import errno
import os
import struct
import sys

#: System call numbers: asm/unistd_64.h of x86, asm-generic/unistd.h of aarch64.
NUMBERS = {"x86_64": {"ptrace": 101, "unshare": 272, "flock": 73},
           "aarch64": {"ptrace": 117, "unshare": 97, "flock": 32}}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD+W+ABS, BPF_JMP+JEQ+K, BPF_RET+K
ALLOW, FAIL = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def deny(names, error=errno.EPERM):
    """Let the system calls ``names`` fail with ``error`` from now on."""
    table = NUMBERS[os.uname().machine]
    code = struct.pack("HBBI", LOAD, 0, 0, 0)
    for name in names:
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
