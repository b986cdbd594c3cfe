"""Strings and names as Cedar writes them."""

import random
import re

RESERVED = frozenset("true false if then else in like has is __cedar".split())
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\0": r"\0", '"': r"\"", "\\": r"\\"}


def identifier(name: str) -> bool:
    return re.fullmatch("[_A-Za-z][_A-Za-z0-9]*", name) is not None and name not in RESERVED


def quoted(text: str, dice: random.Random | None = None) -> str:
    """A string literal; with `dice` some scalars are written as escapes that need none."""
    return '"' + "".join(_scalar(scalar, dice) for scalar in text) + '"'


def pattern(parts: list[str | None], dice: random.Random) -> str:
    """A pattern of `like`: text, and None for any text."""
    # A star that comes of an escape is a wildcard all the same; only \\* is a star.
    wild = ("*", "*", "*", "*", r"\x2a", r"\u{2a}")
    return '"' + "".join(dice.choice(wild) if part is None else _exact(part, dice) for part in parts) + '"'


def _exact(part: str, dice: random.Random) -> str:
    return "".join(r"\*" if scalar == "*" else _scalar(scalar, dice) for scalar in part)


def _scalar(scalar: str, dice: random.Random | None) -> str:
    if dice and scalar != "*" and dice.random() < 0.05:
        return rf"\x{ord(scalar):02x}" if ord(scalar) < 0x80 and dice.random() < 0.5 else rf"\u{{{ord(scalar):x}}}"
    if scalar in _SHORT:
        return _SHORT[scalar]
    return scalar if scalar.isprintable() else rf"\u{{{ord(scalar):x}}}"
