"""Confinement of a process that decodes pictures from strangers: seccomp, and Landlock where the kernel has it.

Native decoders have faults. A process that one of them hands over to an attacker may compute, allocate memory, and
write to the files that it has; the kernel refuses it everything else: files, sockets, other processes.

`libseccomp`'s bindings need a library of the system, which slim images lack, so the filter is put together here:
classic BPF (the kernel's Documentation/networking/filter.rst), a load and a jump for each system call.
"""

import ctypes
import errno
import mmap
import os
import platform
import struct
import sys
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Final


class Sandbox(StrEnum):
    """What happens where the kernel cannot confine a decoder."""

    REQUIRE = "require"
    """The worker does not start."""
    TRY = "try"
    """Decoders run unconfined; `cutgate doctor`, the log and a metric say so."""
    OFF = "off"
    """Decoders are never confined."""


_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)
_ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Machines with a table below: their AUDIT_ARCH, and the column of their system calls."""
_CALLS: Final = {
    "brk": (12, 214),
    "clock_gettime": (228, 113),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fstat": (5, 80),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "rseq": (334, 293),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "write": (1, 64),
    "writev": (20, 66),
}
"""What computing, allocating and threads need, and the files that are open."""
_CONDITIONAL: Final = {
    "clone": ((56, 220), 0, 0x10000, 0x10000),  # CLONE_THREAD: no processes
    "mmap": ((9, 222), 2, mmap.PROT_EXEC, 0),
    "mprotect": ((10, 226), 2, mmap.PROT_EXEC, 0),
    "prlimit64": ((302, 261), 0, 0xFFFFFFFF, 0),  # of this process alone
}
"""Calls that depend on an argument: its index, a mask, and what has to be left of the argument under it."""
_CLONE3: Final = 435
"""Its flags lie in memory, where a filter cannot look. The C library makes do with `clone` where it is unknown."""

_LOAD, _AND, _IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS, _FILTER_MODE = 4, 22, 38, 2
_CREATE_RULESET, _RESTRICT_SELF, _VERSION_FLAG = 444, 446, 1
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Kinds of access to files that each version of Landlock knows; a later one knows all of the last."""


def confine() -> None:
    """Confine the calling process, which has one thread, for good.

    Raises:
        OSError: the kernel refuses, or there is no filter for this machine.
    """
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _control(_SET_NO_NEW_PRIVS, 1)
    _control(_SET_DUMPABLE, 0)
    _forbid_files()
    program, _ = _program()
    _control(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(program))


def can_confine() -> bool:
    """Whether the kernel confines a process on this machine; it is tried in one that is forked for it."""
    if platform.machine() in _ARCHITECTURES:
        _program()  # once, for all that are forked
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            confine()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


@cache
def _program() -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]:
    """The filter as the kernel takes it, and the instructions that it points at."""
    code = b"".join(_filter(*_ARCHITECTURES[platform.machine()]))
    instructions = ctypes.create_string_buffer(code, len(code))
    return ctypes.create_string_buffer(
        struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))
    ), instructions


def _filter(architecture: int, column: int) -> Iterator[bytes]:
    """The program that the kernel runs at each system call, an instruction at a time."""
    yield _instruction(_LOAD, _ARCHITECTURE_AT)
    yield _instruction(_IF_EQUAL, architecture, if_true=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER_AT)
    for numbers in _CALLS.values():
        yield _instruction(_IF_EQUAL, numbers[column], if_false=1)
        yield _instruction(_RETURN, _ALLOW)
    for numbers, argument, mask, value in _CONDITIONAL.values():
        yield _instruction(_IF_EQUAL, numbers[column], if_false=5)
        yield _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)
        yield _instruction(_AND, mask)
        yield _instruction(_IF_EQUAL, value, if_false=1)
        yield _instruction(_RETURN, _ALLOW)
        yield _instruction(_RETURN, _ERRNO | errno.EPERM)
    yield _instruction(_IF_EQUAL, _CLONE3, if_false=1)
    yield _instruction(_RETURN, _ERRNO | errno.ENOSYS)
    yield _instruction(_RETURN, _ERRNO | errno.EPERM)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One of classic BPF; the jumps count the instructions that are left out."""
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _forbid_files() -> None:
    """Have Landlock refuse every access to a file by its name, which seccomp refuses as well."""
    version = _system_call(_CREATE_RULESET, 0, 0, _VERSION_FLAG)
    if version < 1:
        return  # an old kernel, or one without Landlock
    rights = ctypes.c_uint64((1 << _RIGHTS[min(version, max(_RIGHTS))]) - 1)
    ruleset = _system_call(_CREATE_RULESET, ctypes.addressof(rights), ctypes.sizeof(rights), 0)
    if ruleset < 0 or _system_call(_RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(ruleset)


def _control(option: int, *arguments: int) -> None:
    """prctl(2)."""
    given = (*arguments, 0, 0, 0, 0)[:4]
    if _LIBRARY.prctl(option, *map(ctypes.c_ulong, given)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _system_call(number: int, *arguments: int) -> int:
    return int(_LIBRARY.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments)))
