"""Expressions by dice, led by types: most have the type that is asked for, a share does not.

A node is a text with the level of the grammar that it stands on, so that parentheses are written where they must be and only
sometimes elsewhere.
"""

import collections
import random

from .text import identifier, pattern, quoted
from .world import BAD, EXTENSIONS, POOLS, STRINGS, World

#: From the loosest to the tightest.
IF, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER = range(8)
Node = collections.namedtuple("Node", "text level")
COMPARISONS = ("<", "<=", ">", ">=")


class Expressions:
    """For one policy: `principal`, `resource` and `context` are what it may take the variables to be."""

    def __init__(self, world: World, dice: random.Random, principal: str, resource: str, context, used: collections.Counter):
        self.world, self.dice, self.used = world, dice, used
        self.ill_typed = dice.choice((0, 0, 0, 0, 0.02))
        self.roots = {"principal": ("Entity", principal), "resource": ("Entity", resource), "context": context}
        self.paths = collections.defaultdict(list)
        for name, kind in self.roots.items():
            self._walk(Node(name, MEMBER), kind, None, 3)

    def expression(self, kind, depth: int) -> Node:
        dice = self.dice
        if dice.random() < self.ill_typed:
            self.used["ill-typed"] += 1
            kind = self.world.type(1)
        if depth <= 0:
            return self.leaf(kind)
        if dice.random() < 0.07:
            return self._conditional(self.expression("Bool", depth - 1), self.expression(kind, depth - 1), self.expression(kind, depth - 1))
        if dice.random() < 0.04:
            return self._member_of_record(kind, depth)
        if dice.random() < 0.15 and (tag := self._tag(kind)):
            return tag
        maker = getattr(self, "_" + (kind if isinstance(kind, str) else kind[0]).lower())
        return maker(kind, depth)

    # MARK: - Text

    def wrap(self, node: Node, level: int) -> str:
        return f"({node.text})" if node.level < level or self.dice.random() < 0.08 else node.text

    def call(self, receiver: Node, method: str, *arguments: Node) -> Node:
        self.used[method] += 1
        text = self.wrap(receiver, MEMBER)
        return Node(f"{text}.{method}({', '.join(argument.text for argument in arguments)})", MEMBER)

    def relation(self, left: Node, operator: str, right: Node) -> Node:
        self.used[operator] += 1
        return Node(f"{self.wrap(left, SUM)} {operator} {self.wrap(right, SUM)}", RELATION)

    def chain(self, left: Node, operator: str, right: Node, level: int) -> Node:
        self.used[operator] += 1
        return Node(f"{self.wrap(left, level)} {operator} {self.wrap(right, level + 1)}", level)

    def _conditional(self, test: Node, then: Node, otherwise: Node) -> Node:
        self.used["if"] += 1
        return Node(f"if {test.text} then {then.text} else {otherwise.text}", IF)

    def attribute(self, base: Node, name: str) -> Node:
        plain = identifier(name) and self.dice.random() < 0.85
        return Node(self.wrap(base, MEMBER) + (f".{name}" if plain else f"[{quoted(name, self.dice)}]"), MEMBER)

    def has(self, base: Node, name: str) -> Node:
        plain = identifier(name) and self.dice.random() < 0.85
        return Node(f"{self.wrap(base, SUM)} has {name if plain else quoted(name, self.dice)}", RELATION)

    def entity(self, uid: tuple[str, str]) -> Node:
        return Node(f"{uid[0]}::{quoted(uid[1], self.dice)}", MEMBER)

    # MARK: - Leaves

    def _walk(self, base: Node, kind, guard: Node | None, depth: int) -> None:
        """Notes every path from a variable by its type, with what must hold for it to have a value."""
        self.paths[kind].append((base, guard))
        fields = self.fields(kind)
        if depth == 0 or fields is None:
            return
        for name, inner, required in fields:
            has = guard if required else self._both(guard, self.has(base, name))
            self._walk(self.attribute(base, name), inner, has, depth - 1)

    def fields(self, kind):
        if kind[0] == "Entity":
            return self.world.types[kind[1]].attributes[1] if kind[1] in self.world.types and self.world.types[kind[1]].attributes else None
        return kind[1] if kind[0] == "Record" else None

    def _both(self, left: Node | None, right: Node) -> Node:
        return right if left is None else Node(f"{self.wrap(left, AND)} && {self.wrap(right, RELATION)}", AND)

    def path(self, kind) -> Node | None:
        found = self.paths.get(kind)
        if not found:
            return None
        path, guard = self.dice.choice(found)
        if guard is None or self.dice.random() < 0.05:
            return path
        return self._conditional(guard, path, self.literal(self.world.value(kind)))

    def leaf(self, kind) -> Node:
        path = self.path(kind) if self.dice.random() < 0.65 else None
        return path or self.literal(self.world.value(kind))

    def literal(self, value) -> Node:
        kind, held = value
        if kind == "Bool":
            return Node("true" if held else "false", MEMBER)
        if kind == "Long":
            return Node(str(held), UNARY if held < 0 else MEMBER)
        if kind == "String":
            return Node(quoted(held, self.dice), MEMBER)
        if kind in POOLS:
            self.used[kind] += 1
            text = self.dice.choice(BAD[kind]) if self.dice.random() < 0.02 else held
            return Node(f"{EXTENSIONS[kind]}({quoted(text, self.dice)})", MEMBER)
        if kind[0] == "Entity":
            return self.entity(held)
        if kind[0] == "Set":
            return Node(f"[{', '.join(self.literal(element).text for element in held)}]", MEMBER)
        return self._record_of((name, self.literal(field)) for name, field in held.items())

    def _record_of(self, fields) -> Node:
        self.used["record"] += 1
        keys = ((name if identifier(name) and self.dice.random() < 0.7 else quoted(name, self.dice), field) for name, field in fields)
        return Node("{" + ", ".join(f"{key}: {field.text}" for key, field in keys) + "}", MEMBER)

    # MARK: - Any type

    def _member_of_record(self, kind, depth: int) -> Node:
        names = self.dice.sample(("a", "b", "x y", "é"), 2)
        record = self._record_of([(names[0], self.expression(kind, depth - 1)), (names[1], self.leaf("Long"))])
        return self.attribute(record, names[0] if self.dice.random() < 0.95 else "c")

    def _tag(self, kind) -> Node | None:
        """A tag of an entity whose tags have this type, asked for before or not."""
        owners = [name for name, entity_type in self.world.types.items() if entity_type.tags == kind]
        if not owners:
            return None
        owner = self.leaf(("Entity", self.dice.choice(owners)))
        key = self.leaf("String") if self.dice.random() < 0.3 else self.literal(("String", self.dice.choice(STRINGS)))
        found = self.call(owner, "getTag", key)
        if self.dice.random() < 0.1:
            return found
        return self._conditional(self.call(owner, "hasTag", key), found, self.literal(self.world.value(kind)))

    # MARK: - By type

    def _bool(self, kind, depth: int) -> Node:
        from .conditions import CONDITIONS

        return self.dice.choice(CONDITIONS)(self, depth)

    def _long(self, kind, depth: int) -> Node:
        roll = self.dice.random()
        if roll < 0.45:
            operator = self.dice.choice("+-*")
            left, right = self.expression("Long", depth - 1), self.expression("Long", depth - 1)
            if self.dice.random() < 0.6:
                right = self.literal(("Long", self.dice.choice((0, 1, 2, -1, 3))))
            return self.chain(left, operator, right, PRODUCT if operator == "*" else SUM)
        if roll < 0.55:
            self.used["negation"] += 1
            operand = self.expression("Long", depth - 1)
            dash = "-" * self.dice.choice((1, 1, 1, 2))
            # A chain of dashes is one step of the grammar, and a fifth is too many.
            return Node(f"{dash} {self.wrap(operand, MEMBER)}", UNARY)
        if roll < 0.72:
            unit = self.dice.choice(("toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"))
            return self.call(self.expression("duration", depth - 1), unit)
        return self.leaf(kind)

    def _string(self, kind, depth: int) -> Node:
        return self.leaf(kind)

    def _entity(self, kind, depth: int) -> Node:
        return self.leaf(kind)

    def _set(self, kind, depth: int) -> Node:
        if self.dice.random() < 0.4:
            return self.leaf(kind)
        self.used["set"] += 1
        elements = [self.expression(kind[1], depth - 1).text for _ in range(self.dice.choice((0, 1, 2, 3)))]
        comma = "," if elements and self.dice.random() < 0.1 else ""
        return Node(f"[{', '.join(elements)}{comma}]", MEMBER)

    def _record(self, kind, depth: int) -> Node:
        if self.dice.random() < 0.5:
            return self.leaf(kind)
        fields = [(name, inner) for name, inner, required in kind[1] if required or self.dice.random() < 0.5]
        return self._record_of([(name, self.expression(inner, depth - 1)) for name, inner in fields])

    def _constructed(self, kind, depth: int) -> Node:
        """A constructor over a text that is computed, or over too many arguments."""
        roll = self.dice.random()
        if roll < 0.02:
            arguments = [self.leaf("String") for _ in range(self.dice.choice((0, 2)))]
        elif roll < 0.06:
            arguments = [self.expression("String", depth - 1)]
        elif roll < 0.3:
            texts = [self.literal(("String", self.dice.choice(POOLS[kind]))) for _ in range(2)]
            arguments = [self._conditional(self.expression("Bool", depth - 1), *texts)]
        else:
            return self.leaf(kind)
        self.used[kind] += 1
        return Node(f"{EXTENSIONS[kind]}({', '.join(argument.text for argument in arguments)})", MEMBER)

    _decimal = _ipaddr = _constructed

    def _datetime(self, kind, depth: int) -> Node:
        roll = self.dice.random()
        if roll < 0.25:
            return self.call(self.expression(kind, depth - 1), "offset", self.expression("duration", depth - 1))
        if roll < 0.4:
            return self.call(self.expression(kind, depth - 1), "toDate")
        return self._constructed(kind, depth)

    def _duration(self, kind, depth: int) -> Node:
        roll = self.dice.random()
        if roll < 0.2:
            return self.call(self.expression("datetime", depth - 1), "durationSince", self.expression("datetime", depth - 1))
        if roll < 0.35:
            return self.call(self.expression("datetime", depth - 1), "toTime")
        return self._constructed(kind, depth)

    # MARK: - Hierarchy

    def relative(self, name: str) -> tuple[str, str]:
        """An entity that one of type `name` may be in: an ancestor of one, or itself."""
        uid = self.world.uid(name)
        return self.dice.choice([uid, *self.world.ancestors(uid) * 3])

    def like_pattern(self) -> str:
        parts: list[str | None] = []
        text = self.dice.choice(STRINGS)
        cut = self.dice.randint(0, len(text))
        roll = self.dice.random()
        if roll < 0.3:
            parts = [text[:cut], None]
        elif roll < 0.5:
            parts = [None, text[cut:]]
        elif roll < 0.7:
            parts = [text[: cut // 2], None, text[cut:]]
        elif roll < 0.85:
            parts = [None, text[cut : cut + 1], None]
        else:
            parts = [text]
        return pattern(parts, self.dice)
