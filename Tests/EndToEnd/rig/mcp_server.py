"""An MCP server written with the public Python SDK, over standard streams or streamable HTTP.

python mcp_server.py                      # stdio
python mcp_server.py --http PORT          # http://127.0.0.1:PORT/mcp, streams of events
python mcp_server.py --http PORT --json   # the same with JSON answers
"""

import argparse
import os
import sys

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("rig")
cancelled = 0


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two integers."""
    return a + b


@server.tool()
async def slow(steps: int, pause: float, ctx: Context) -> str:
    """Tells its progress after each step."""
    global cancelled
    try:
        for step in range(1, steps + 1):
            await anyio.sleep(pause)
            await ctx.report_progress(step, steps, f"step {step}")
    except anyio.get_cancelled_exc_class():
        cancelled += 1
        raise
    return f"{steps} steps"


@server.tool()
def fail(message: str) -> str:
    """Fails."""
    raise ToolError(message)


@server.tool(structured_output=False)
def environment() -> str:
    """The names of all variables, sorted."""
    return " ".join(sorted(os.environ))


@server.tool(structured_output=False)
def value_of(name: str) -> str:
    """One variable's value."""
    return os.environ.get(name, "")


@server.tool()
def cancellations() -> int:
    """How many slow calls were cancelled."""
    return cancelled


@server.tool()
def leave(status: int) -> str:
    """Ends the program at once."""
    print(f"leaving with {status}", file=sys.stderr, flush=True)
    os._exit(status)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=options.http, json_response=options.json)


if __name__ == "__main__":
    main()
