"""Lets asyncio do without pairs of sockets, which no sandbox has: its loops are woken, and its subprocesses fed, through pipes.

Loaded when asyncio is imported, which most code never does. Of a pair asyncio writes to the second end and reads from the first.
"""

import importlib.machinery
import os
import sys


class _End:
    """One end of a pipe, as far as asyncio uses a socket."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def fileno(self):
        return self._descriptor

    def setblocking(self, blocking):
        os.set_blocking(self._descriptor, blocking)

    def recv(self, count):
        return os.read(self._descriptor, count)

    def send(self, data):
        return os.write(self._descriptor, data)

    def detach(self):
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def close(self):
        if self._descriptor >= 0:
            os.close(self.detach())


class _Sockets:
    """The module `socket` with another `socketpair`. Only two modules see it: what code of agents makes stays what it is."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)

    def socketpair(self):
        reader, writer = os.pipe()
        return _End(reader), _End(writer)


def spec(name, path):
    """Of a module of asyncio, that changes it once it is executed; None where there is none."""
    found = importlib.machinery.PathFinder.find_spec(name, path)
    if found is None or found.loader is None:
        return found
    execute = found.loader.exec_module

    def executed(module):
        execute(module)
        module.socket = _Sockets(sys.modules["socket"])

    found.loader.exec_module = executed
    return found
