"""What a sandbox can reach: each line is a name, a tab, and what was found. Run instead of the bootstrap by the server's self-test.

It uses ctypes for calls that Python does not offer. Nothing here is trusted: the server judges the findings, and sees from outside
what became of the process.
"""

import errno
import os
import socket
import sys

NUMBERS = {
    "x86_64": {"unshare": 272, "ptrace": 101, "keyctl": 250, "io_uring_setup": 425, "bpf": 321},
    "aarch64": {"unshare": 97, "ptrace": 117, "keyctl": 219, "io_uring_setup": 425, "bpf": 280},
}


def attempt(action):
    try:
        found = action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error:
        return type(error).__name__
    return "done" if found is None else str(found)


def connect(port):
    with socket.socket() as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", port))


def call(name, *arguments):
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    number = NUMBERS[os.uname().machine][name]
    if library.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, name)


def descriptors():
    found = []
    for number in range(1024):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(str(number))
    return " ".join(found)


def fork():
    """Starts processes until it may not; says why and how many there were, this one included."""
    children = []
    found = "unlimited"
    for _ in range(1024):
        try:
            child = os.fork()
        except OSError as error:
            found = errno.errorcode.get(error.errno, str(error.errno))
            break
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        children.append(child)
    os.close(writer)
    for child in children:
        os.waitpid(child, 0)
    return f"{found} at {len(children) + 1}"


def allocate():
    """Takes memory until it is stopped; each page is written to."""
    blocks = []
    for _ in range(4096):
        blocks.append(b"x" * (1 << 20))
    return "unlimited"


def tell(name, found):
    sys.stdout.write(f"{name}\t{found}\n")
    sys.stdout.flush()


reader, writer = -1, -1
tell("interpreter", f"python {sys.version_info.major}.{sys.version_info.minor}")
tell("descriptors", attempt(descriptors))
reader, writer = os.pipe()
tell("environment", " ".join(sorted(name for name in os.environ if name not in ("PWD", "LC_CTYPE"))) or "empty")
tell("connect", attempt(lambda: connect(9)))
tell("vsock", attempt(lambda: socket.socket(40, socket.SOCK_STREAM).close()))
tell("netlink", attempt(lambda: socket.socket(16, socket.SOCK_RAW).close()))
tell("accounts", attempt(lambda: open("/etc/passwd").close()))
tell("server_environment", attempt(lambda: open("/proc/1/environ").close()))
tell("write_root", attempt(lambda: open("/written", "w").close()))
# What every sandbox may look at, unless Landlock refuses: the folder above all others.
tell("landlock", attempt(lambda: os.close(os.open("/", os.O_RDONLY))))
tell("write_work", attempt(lambda: open("written", "w").close()))
tell("user_namespace", attempt(lambda: call("unshare", 0x10000000)))
tell("trace", attempt(lambda: call("ptrace", 16, 1, 0, 0)))
tell("keyring", attempt(lambda: call("keyctl", 0, -3, 1)))
tell("bpf", attempt(lambda: call("bpf", 0, 0, 0)))
tell("io_uring", attempt(lambda: call("io_uring_setup", 1, 0)))
tell("processes", attempt(fork))
tell("memory", attempt(allocate))
