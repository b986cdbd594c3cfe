"""The sets of 1,000 policies that decisions are measured with, and the requests that are decided."""

import json
import pathlib

#: As an organisation writes them; a tool each and nothing more in the scope; nothing in the scope, so that every one is evaluated.
SHAPES = {"scoped": "a role, a tool and a project each", "tools": "a tool each, 40 for every tool", "open": "no scope at all"}
POLICIES, TOOLS, USERS = 1_000, 25, 4


def policies(shape: str) -> str:
    return "\n".join(_policy(shape, number) for number in range(POLICIES))


def _policy(shape: str, number: int) -> str:
    effect = "forbid" if number % 10 == 0 else "permit"
    amount = f"> {900 + number}" if effect == "forbid" else f"< {100 + number}"
    clause = f'when {{ context.args.amount {amount} && context.args.labels.contains("l{number % 7}") }}'
    tool = f'action == Action::"tool{number % TOOLS}"'
    scope = {
        "scoped": f'principal in Role::"r{number % 10}", {tool}, resource in Project::"p{number // 10 % 4}"',
        "tools": f"principal, {tool}, resource",
        "open": "principal, action, resource",
    }[shape]
    return f"{effect} ({scope}) {clause};"


def entities() -> list[dict]:
    """Users with three roles each, one in each project; the projects are in an organisation."""
    users = [
        {"uid": uid("User", f"u{user}"), "attrs": {}, "parents": [uid("Role", f"r{(user + role) % 10}") for role in range(3)]}
        for user in range(USERS)
    ]
    projects = [{"uid": uid("Project", f"p{user}"), "attrs": {}, "parents": [uid("Org", "o")]} for user in range(USERS)]
    return users + projects


def requests() -> list[dict]:
    """Each user calls each tool once in a project; amounts and labels differ."""
    return [
        {
            "principal": uid("User", f"u{user}"),
            "action": uid("Action", f"tool{tool}"),
            "resource": uid("Project", f"p{(user + tool) % USERS}"),
            "context": {"args": {"amount": 50 + 40 * tool, "labels": [f"l{tool % 7}", f"l{user}"]}, "run": {"id": "x"}},
        }
        for user in range(USERS)
        for tool in range(TOOLS)
    ]


def uid(kind: str, name: str) -> dict:
    return {"type": kind, "id": name}


def write(folder: pathlib.Path, shape: str) -> list[str]:
    """Writes the files of a shape: the arguments of `cedar-benchmark`."""
    lines = "\n".join(json.dumps(request) for request in requests())
    texts = {"policies": policies(shape), "entities": json.dumps(entities()), "requests": lines}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in texts]
