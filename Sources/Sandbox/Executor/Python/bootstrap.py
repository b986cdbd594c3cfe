"""The first file of a sandbox's interpreter: `python3 -I -S -E -B -X utf8 bootstrap.py`, with the channel as descriptor 3.

Says hello, waits for the code, runs it as `__main__`, and sends its value as the last frame.
"""

import atexit
import os
import sys

_ended = {"status": 1, "value": None, "code": ""}


def _leave():
    """Registered before all others, so called after them, and after all threads that are no daemons have ended."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    if _ended["status"] == 0:
        try:
            _channel.send({"type": "result", "value": _portable(_ended["value"])}, last=True)
        except Exception:
            pass
    # Daemon threads and the tearing down of modules have nothing to add.
    os._exit(_ended["status"])


atexit.register(_leave)

# A sandbox that is started for a job that waits pays for each import here: what most jobs do without comes later.
import _ast  # noqa: E402
import builtins  # noqa: E402
import threading  # noqa: E402
from _queue import Empty  # noqa: E402

_FILE = "<code>"
_boot = os.path.dirname(os.path.abspath(__file__))
# /w, where the launcher started it; without namespaces the host's name of that folder.
_work = os.getcwd()
_PRELOADED = (
    "base64 bisect collections.abc contextlib copy csv dataclasses datetime decimal enum functools hashlib heapq io itertools json"
    " linecache math operator random re statistics string textwrap time traceback typing urllib.parse uuid"
)


def _load(name):
    path = os.path.join(_boot, f"{name}.py")
    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)
    return module


class _Asyncio:
    """Finds the two modules of asyncio that make pairs of sockets, and has them changed; costs nothing before asyncio is imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in ("asyncio.selector_events", "asyncio.unix_events"):
            return None
        return (sys.modules.get("agent_asyncio") or _load("agent_asyncio")).spec(name, path)


def _preload():
    """What most scripts need, while no job waits: it costs no run anything."""
    for name in _PRELOADED.split():
        try:
            __import__(name)
        except ImportError:
            pass


def _own(filename):
    return filename == _FILE or filename.startswith(_work + "/") and not filename.startswith(_boot + "/")


def _strip(error, seen):
    """Leaves the lines of the agent's files in a traceback, and in those of its causes."""
    import traceback

    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    if error.stack is not None:
        lines = [line for line in error.stack if _own(line.filename)]
        error.stack = traceback.StackSummary.from_list(lines) if lines else None
    for other in (error.__cause__, error.__context__, *(getattr(error, "exceptions", None) or ())):
        _strip(other, seen)


def _show_source(now):
    """Lets tracebacks show the lines of the code."""
    if now:
        import linecache

        code = _ended["code"]
        linecache.cache[_FILE] = (len(code), None, code.splitlines(True), _FILE)


def _report(kind, value, trace, thread=None):
    try:
        import traceback

        _show_source(True)
        error = traceback.TracebackException(kind, value, trace)
        _strip(error, set())
        text = "".join(error.format())
    except BaseException:
        text = f"{getattr(kind, '__name__', kind)}\n"
    try:
        sys.stderr.write(f"Exception in thread {thread}:\n{text}" if thread else text)
        sys.stderr.flush()
    except Exception:
        pass


def _report_thread(hook):
    if hook.exc_type is not SystemExit:
        _report(hook.exc_type, hook.exc_value, hook.exc_traceback, hook.thread.name if hook.thread else "?")


def _execute(code, names):
    """Runs the code; the value is that of its last expression, otherwise that of its global `result`."""
    tree = compile(code, _FILE, "exec", _ast.PyCF_ONLY_AST)
    last = None
    if tree.body and isinstance(tree.body[-1], _ast.Expr):
        last = _ast.Expression(tree.body.pop().value)
    exec(compile(tree, _FILE, "exec", dont_inherit=True), names)
    value = eval(compile(last, _FILE, "eval", dont_inherit=True), names) if last else None
    return names.get("result") if value is None else value


def _exit_status(value):
    if value is None or isinstance(value, int):
        return (value or 0) & 0xFF
    try:
        sys.stderr.write(f"{value}\n")
    except Exception:
        pass
    return 1


def _run(code):
    main = type(sys)("__main__")
    names = main.__dict__
    names["__builtins__"] = builtins
    sys.modules["__main__"] = main
    _ended["code"] = code
    _show_source("linecache" in sys.modules)
    try:
        _ended["value"] = _execute(code, names)
        _ended["status"] = 0
    except SystemExit as error:
        _ended["status"] = _exit_status(error.code)
        _ended["value"] = names.get("result")
    except BaseException as error:
        _report(type(error), error, error.__traceback__)


_tools = _load("agent_tools")
_channel, _portable = _tools._channel, _tools._portable
sys.meta_path.insert(0, _Asyncio)
sys.path.append(_work)
sys.argv = [_FILE]
for _stream in (sys.stdout, sys.stderr):
    # By lines, so that whoever watches sees them come; and no text is beyond printing.
    if _stream is not None:
        _stream.reconfigure(line_buffering=True, errors="backslashreplace")
builtins.exit = builtins.quit = sys.exit
threading.excepthook = _report_thread
sys.excepthook = _report
os.set_inheritable(_channel.descriptor, False)
_channel.start()
_channel.send({"type": "hello", "v": 1})
try:
    # A job that waits for this sandbox comes at once.
    _job = _channel.runs.get(timeout=0.005)
except Empty:
    _preload()
    _job = _channel.runs.get()
if _job is None:
    os._exit(0)
_tools.inputs.update(_job.get("inputs") or {})
_tools._Tools.names = tuple(_job.get("tools") or ())
_run(_job.get("code", ""))
