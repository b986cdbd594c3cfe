"""Writes the sandbox's filter of system calls as words of classic BPF, for x86_64 and aarch64, from the list below.

    seccomp.py           rewrites Sources/Sandbox/Executor/Launch/SeccompFilter+words.swift
    seccomp.py --check   exits 1 when that file is not what would be written

What is not on the list is refused with EPERM, so that a program sees an error and goes on; a call newer than this table with ENOSYS,
so that the C library takes its older way. Calls of another architecture (i386, x32) end the process: nothing honest makes them.
"""

import pathlib
import sys

TARGET = pathlib.Path(__file__).parent.parent / "Sources/Sandbox/Executor/Launch/SeccompFilter+words.swift"

# name: (number on x86_64, number on aarch64). The calls of Landlock only take rights away: sandbox-init needs them, as bubblewrap sets
# the filter before it executes that. No sockets of any kind, no namespaces, mounts, tracing, keys, BPF, io_uring,
# performance counters, files in memory, handles of files, or calls that stop the whole machine (sync).
CALLS: dict[str, tuple[int | None, int | None]] = {
    "access": (21, None),
    "alarm": (37, None),
    "arch_prctl": (158, None),
    "brk": (12, 214),
    "chdir": (80, 49),
    "chmod": (90, None),
    "chown": (92, None),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "close_range": (436, 436),
    "copy_file_range": (326, 285),
    "creat": (85, None),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "epoll_create": (213, None),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "epoll_wait": (232, None),
    "eventfd": (284, None),
    "eventfd2": (290, 19),
    "execve": (59, 221),
    "execveat": (322, 281),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "fadvise64": (221, 223),
    "fallocate": (285, 47),
    "fchdir": (81, 50),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "flock": (73, 32),
    "fork": (57, None),
    "fstat": (5, 80),
    "fstatfs": (138, 44),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "futex_waitv": (449, 449),
    "get_robust_list": (274, 100),
    "getcpu": (309, 168),
    "getcwd": (79, 17),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getgroups": (115, 158),
    "getitimer": (36, 102),
    "getpgid": (121, 155),
    "getpgrp": (111, None),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getpriority": (140, 141),
    "getrandom": (318, 278),
    "getresgid": (120, 150),
    "getresuid": (118, 148),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "getsid": (124, 156),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "getuid": (102, 174),
    "kill": (62, 129),
    "landlock_add_rule": (445, 445),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "lchown": (94, None),
    "link": (86, None),
    "linkat": (265, 37),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mincore": (27, 232),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "msync": (26, 227),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "pause": (34, None),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "pread64": (17, 67),
    "preadv": (295, 69),
    "preadv2": (327, 286),
    "prlimit64": (302, 261),
    "pselect6": (270, 72),
    "pwrite64": (18, 68),
    "pwritev": (296, 70),
    "pwritev2": (328, 287),
    "read": (0, 63),
    "readahead": (187, 213),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "readv": (19, 65),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "restart_syscall": (219, 128),
    "rmdir": (84, None),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigpending": (127, 136),
    "rt_sigprocmask": (14, 135),
    "rt_sigqueueinfo": (129, 138),
    "rt_sigreturn": (15, 139),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_rr_get_interval": (148, 127),
    "sched_setaffinity": (203, 122),
    "sched_yield": (24, 124),
    "select": (23, None),
    "sendfile": (40, 71),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "setitimer": (38, 103),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setrlimit": (160, 164),
    "setsid": (112, 157),
    "sigaltstack": (131, 132),
    "signalfd": (282, None),
    "signalfd4": (289, 74),
    "stat": (4, None),
    "statfs": (137, 43),
    "statx": (332, 291),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "sysinfo": (99, 179),
    "tgkill": (234, 131),
    "time": (201, None),
    "timer_create": (222, 107),
    "timer_delete": (226, 111),
    "timer_getoverrun": (225, 109),
    "timer_gettime": (224, 108),
    "timer_settime": (223, 110),
    "timerfd_create": (283, 85),
    "timerfd_gettime": (287, 87),
    "timerfd_settime": (286, 86),
    "times": (100, 153),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umask": (95, 166),
    "uname": (63, 160),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vfork": (58, None),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "write": (1, 64),
    "writev": (20, 66),
}
CLONE = (56, 220)
CLONE3 = (435, 435)
IOCTL = (16, 29)
NEWEST = 452

# Of clone: CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME's bit belongs to the exit signal, which is
# below it for every real signal.
NAMESPACES = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
# Of ioctl: TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCGWINSZ, TIOCSWINSZ, FIONREAD, FIONBIO, TIOCSPTLCK,
# TIOCGPTN, FIONCLEX, FIOCLEX, FIOASYNC. Above all not TIOCSTI (0x5412) and TIOCLINUX (0x541c), which type into a terminal.
IOCTLS = [
    0x5401,
    0x5402,
    0x5403,
    0x5404,
    0x540E,
    0x540F,
    0x5410,
    0x5413,
    0x5414,
    0x541B,
    0x5421,
    0x40045431,
    0x80045430,
    0x5450,
    0x5451,
    0x5452,
]
TIOCSTI, TIOCLINUX = 0x5412, 0x541C

LOAD, EQUAL, GREATER_EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x25, 0x45, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, ENOTTY, ENOTSUP = 1, 38, 25, 95
# setxattr to fremovexattr: Python takes "not supported" for an answer where it copies files, and nothing else.
ATTRIBUTES = ((188, 199), (5, 16))
NUMBER, ARCHITECTURE, ARGUMENT0, ARGUMENT1 = 0, 4, 16, 24
ARCHITECTURES = (0xC000003E, 0xC00000B7)


def word(code: int, value: int, true: int = 0, false: int = 0) -> int:
    return code << 48 | true << 40 | false << 32 | value


def ranges(numbers: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def program(which: int) -> list[int]:
    """Jumps are short: each rule carries its own verdict, so no offset ever nears the 255 that a jump can hold."""
    words = [word(LOAD, ARCHITECTURE), word(EQUAL, ARCHITECTURES[which], 1), word(RETURN, KILL), word(LOAD, NUMBER)]
    if which == 0:
        words += [word(GREATER_EQUAL, 0x40000000, 0, 1), word(RETURN, KILL)]
    words += [word(GREATER, NEWEST, 0, 1), word(RETURN, ERROR | ENOSYS)]
    words += [word(EQUAL, CLONE3[which], 0, 1), word(RETURN, ERROR | ENOSYS)]
    first, last = ATTRIBUTES[which]
    words += [word(GREATER_EQUAL, first, 0, 2), word(GREATER, last, 1), word(RETURN, ERROR | ENOTSUP)]
    words += [word(EQUAL, CLONE[which], 0, 4), word(LOAD, ARGUMENT0), word(ANY_BIT, NAMESPACES, 1), word(RETURN, ALLOW)]
    words += [word(RETURN, ERROR | EPERM)]
    ioctl = [word(LOAD, ARGUMENT1)]
    for request in IOCTLS:
        ioctl += [word(EQUAL, request, 0, 1), word(RETURN, ALLOW)]
    for request in (TIOCSTI, TIOCLINUX):
        ioctl += [word(EQUAL, request, 0, 1), word(RETURN, ERROR | EPERM)]
    ioctl += [word(RETURN, ERROR | ENOTTY)]
    words += [word(EQUAL, IOCTL[which], 0, len(ioctl)), *ioctl]
    for first, last in ranges([call[which] for call in CALLS.values() if call[which] is not None]):
        if first == last:
            words += [word(EQUAL, first, 0, 1), word(RETURN, ALLOW)]
        else:
            words += [word(GREATER_EQUAL, first, 0, 2), word(GREATER, last, 1), word(RETURN, ALLOW)]
    return [*words, word(RETURN, ERROR | EPERM)]


def text() -> str:
    lines = [
        "// Written by scripts/seccomp.py from its list of calls; a test compares. One instruction a word: code, jt, jf, k.",
        "extension SeccompFilter {",
    ]
    for which, name in enumerate(("x86", "arm")):
        words = [f"0x{value:016x}" for value in program(which)]
        lines.append(f"    static let {name}: [UInt64] = [")
        lines += ["        " + ", ".join(words[at : at + 6]) + "," for at in range(0, len(words), 6)]
        lines += ["    ]"] + ([""] if which == 0 else [])
    return "\n".join([*lines, "}", ""])


def main() -> int:
    if "--check" in sys.argv[1:]:
        same = TARGET.exists() and TARGET.read_text() == text()
        print("the filter's words are those of the list" if same else f"{TARGET.name} differs: run scripts/seccomp.py")
        return 0 if same else 1
    TARGET.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
