"""A world by dice: a schema, entities that conform to it, and requests, most of which do.

A type is the name of a primitive or extension type, or a tuple: `("Entity", name)`, `("Set", type)`, or
`("Record", ((attribute, type, required), …))`. A value is a pair of its type and what it holds.
"""

import dataclasses
import json
import random

from .text import identifier, quoted

PRIMITIVES = ("Bool", "Long", "String")
EXTENSIONS = {"decimal": "decimal", "ipaddr": "ip", "datetime": "datetime", "duration": "duration"}

#: What values are made of. The pools are small, so that two values are often equal, and hold the ends of each type.
LONGS = (0, 1, 1, 2, 3, 5, 10, 100, -1, -7, 86_400_000, 2**62, 2**63 - 1, -(2**63))
STRINGS = (*"a ab abc a*c alice Alice é 10.0.0.1 1.5 🏳️‍🌈 2024-01-01 1d".split(), "", "e\u0301", "\r\n", 'a"b\\', "\0")
POOLS = {
    "decimal": ("0.0", "-0.0", "1.0", "1.00", "-1.5", "12.3456", "0.1", "922337203685477.5807", "-922337203685477.5808", "007.5"),
    "ipaddr": (
        "10.0.0.1 10.0.0.0/8 10.0.0.1/32 10.1.0.0/16 192.168.1.0/24 127.0.0.1 127.0.0.0/7 127.3.0.0/8 224.0.0.1 224.0.0.0/3 0.0.0.0/0 "
        "::1 ::1/128 ::1/127 ::/0 ff02::1 ff00::/7 fe80::/10 1:2:3:4:5:6:7:: ABCD:ef01:: abcd:EF01::/32 255.255.255.255"
    ).split(),
    "datetime": (
        "2024-01-01 2024-02-29T12:30:00Z 1969-12-31T23:59:59.999Z 2024-01-01T00:00:00+0100 2023-12-31T23:00:00Z 0000-01-01 "
        "9999-12-31T23:59:59.999-2359 1970-01-01 1970-01-01T00:00:00.001Z 2024-06-15T23:59:59Z"
    ).split(),
    "duration": "1d -90s -25h30m -36h1ms 1h30m 0ms 24h 1d2h3m4s5ms 36h 86400000ms 1ms -1ms 9223372036854775807ms -9223372036854775808ms 0001d".split(),
}
#: What no constructor takes.
BAD = {
    "decimal": ("1", "1.", ".5", "1.00000", "+1.0", "922337203685477.5808", " 1.0", "1e5", "١.0", "-922337203685477.5809", ""),
    "ipaddr": (
        "10.0.0.256 010.0.0.1 1.2.3 ::ffff:1.2.3.4 1::2::3 10.0.0.0/33 10.0.0.0/08 ::/129 1:2:3:4:5:6:7::8 [::1] fe80::1%1 12345:: /8 10.0.0.0/"
    ).split(),
    "datetime": (
        "2024-02-30 2023-02-29 24-01-01 2024-1-1 2024-01-01T00:00:00 2024-01-01T24:00:00Z 2024-01-01T00:00:60Z 2024-01-01T00:00:00+01:00 "
        "2024-01-01T00:00:00.1Z 2024-01-01t00:00:00Z 2024-01-01Z 2024-01-01T00:00:00+2400 2024-13-01"
    ).split(),
    "duration": ["", "1 d", *"- 1 +1d 1h1d 1d1d 1.5h 9223372036854775808ms 106751991168d -9223372036854775809ms 1w".split()],
}

ATTRIBUTES = (*"name level age owner team active limit address since span labels profile peers rate if é".split(), "x y", "", "e\u0301")
IDS = ("alice", "bob", "carol", "dave", "", "é", "e\u0301", "a b", 'x"y', "line\nbreak", "zero\0", "*")
ACTION_IDS = ("read", "write", "delete", "share", "a b", "é", "in")


@dataclasses.dataclass
class EntityType:
    name: str
    parents: list[str]
    attributes: tuple
    tags: object
    ids: list[str]
    #: How many of the ids, from the first, are in the store; the others are only referred to.
    stored: int
    choices: bool = False


@dataclasses.dataclass
class Action:
    uid: tuple[str, str]
    groups: list[tuple[str, str]]
    principals: list[str]
    resources: list[str]
    context: tuple


class World:
    def __init__(self, dice: random.Random):
        self.dice = dice
        self.namespace = dice.choice(["", "", "App::", "A::B::"])
        names = [self.namespace + name for name in ("User", "Robot", "Team", "Doc", "Folder", "Org")]
        self.types = {}
        self.kind = self.namespace + "Kind"
        for index, name in enumerate(names):
            # Later types are parents of earlier ones; teams, folders and organisations lie in their own kind too.
            parents = [other for other in names[max(index, 2) :] if dice.random() < 0.5]
            self.types[name] = EntityType(name, parents, (), None, dice.sample(IDS, 6), 4)
        self.types[self.kind] = EntityType(self.kind, [], (), None, ["red", "green", "a b"], 0, choices=True)
        for name in names:
            self.types[name].attributes = self._fields(3, 7, 2)
            if dice.random() < 0.5:
                self.types[name].tags = self.type(1)
        self._actions(names)
        self._entities()

    # MARK: - Types

    def type(self, depth: int):
        kinds = "Bool Bool Long Long Long String String String decimal ipaddr datetime duration Entity Entity".split()
        kind = self.dice.choice(kinds + ["Set", "Set", "Record"] * (depth > 0))
        if kind == "Entity":
            return ("Entity", self.dice.choice(list(self.types)))
        if kind == "Set":
            return ("Set", self.type(depth - 1))
        if kind == "Record":
            return self._fields(1, 3, depth - 1)
        return kind

    def _fields(self, least: int, most: int, depth: int):
        names = self.dice.sample(ATTRIBUTES, self.dice.randint(least, most))
        return ("Record", tuple((name, self.type(depth), self.dice.random() < 0.75) for name in names))

    def _actions(self, names: list[str]) -> None:
        dice, self.action_type = self.dice, self.namespace + "Action"
        everything, edits = (self.action_type, "everything"), (self.action_type, "edits")
        self.groups = {everything: [], edits: [everything] if dice.random() < 0.7 else []}
        self.actions = {}
        for name in dice.sample(ACTION_IDS, dice.randint(2, 5)):
            uid = (self.action_type, name)
            groups = [group for group in self.groups if dice.random() < 0.5]
            principals = dice.sample(names[:2], dice.randint(1, 2))
            resources = dice.sample(names[2:], dice.randint(1, 2))
            self.actions[uid] = Action(uid, groups, principals, resources, self._fields(1, 5, 2))

    # MARK: - Values

    def uid(self, name: str) -> tuple[str, str]:
        return (name, self.dice.choice(self.types[name].ids))

    def value(self, kind):
        dice = self.dice
        if kind == "Bool":
            return (kind, dice.random() < 0.6)
        if kind == "Long":
            return (kind, dice.choice(LONGS))
        if kind == "String":
            return (kind, dice.choice(STRINGS))
        if kind in POOLS:
            return (kind, dice.choice(POOLS[kind]))
        if kind[0] == "Entity":
            return (kind, self.uid(kind[1]))
        if kind[0] == "Set":
            return (kind, [self.value(kind[1]) for _ in range(dice.choice((0, 1, 1, 2, 3)))])
        return (kind, {name: self.value(inner) for name, inner, required in kind[1] if required or dice.random() < 0.5})

    def as_json(self, value, hinted: bool):
        """The value in JSON; `hinted` where a schema says what a bare string or pair means."""
        kind, held = value
        if kind in POOLS:
            if hinted and self.dice.random() < 0.4:
                return held
            return {"__extn": {"fn": EXTENSIONS[kind], "arg": held}}
        if kind[0] == "Entity":
            return pair(held) if hinted and self.dice.random() < 0.4 else {"__entity": pair(held)}
        if kind[0] == "Set":
            return [self.as_json(element, hinted) for element in held]
        if kind[0] == "Record":
            return {name: self.as_json(field, hinted) for name, field in held.items()}
        return held

    # MARK: - Entities

    def _entities(self) -> None:
        self.entities = {}
        for place, entity_type in enumerate(self.types.values()):
            for index, id_ in enumerate(entity_type.ids[: entity_type.stored]):
                parents = []
                for parent in entity_type.parents:
                    ids = self.types[parent].ids
                    # Within one type only later ids are parents: no cycles.
                    ids = ids[index + 1 :] if parent == entity_type.name else ids
                    assert list(self.types).index(parent) >= place
                    if ids and self.dice.random() < 0.6:
                        parents.append((parent, self.dice.choice(ids)))
                tags = {}
                if entity_type.tags is not None:
                    tags = {name: self.value(entity_type.tags) for name in self.dice.sample(STRINGS, 4)}
                self.entities[(entity_type.name, id_)] = (self.value(entity_type.attributes), tags, parents)

    def ancestors(self, uid) -> list[tuple[str, str]]:
        found, waiting = [], [uid]
        while waiting:
            for parent in self.entities.get(waiting.pop(), (None, None, []))[2]:
                if parent not in found:
                    found.append(parent)
                    waiting.append(parent)
        return found

    def entities_json(self, hinted: bool) -> str:
        entities = []
        for uid, (attributes, tags, parents) in self.entities.items():
            entity = {"uid": pair(uid), "attrs": self.as_json(attributes, hinted), "parents": [pair(parent) for parent in parents]}
            if tags:
                entity["tags"] = {name: self.as_json(value, hinted) for name, value in tags.items()}
            entities.append(entity)
        if not hinted or self.dice.random() < 0.3:
            actions = {uid: action.groups for uid, action in self.actions.items()} | self.groups
            for uid, groups in actions.items():
                # A file that is held against a schema must tell of all ancestors, by whatever way.
                entities.append({"uid": pair(uid), "attrs": {}, "parents": [pair(group) for group in groups]})
        self.dice.shuffle(entities)
        return json.dumps(entities, ensure_ascii=self.dice.random() < 0.5)

    # MARK: - Requests

    def request(self, hinted: bool) -> dict:
        dice = self.dice
        action = dice.choice(list(self.actions.values()))
        names = [name for name in self.types if not self.types[name].choices]
        principal = self._subject(dice.choice(action.principals if dice.random() < 0.97 else names))
        resource = self._subject(dice.choice(action.resources if dice.random() < 0.97 else names))
        context = self.value(action.context)
        if dice.random() < 0.03:
            context = self.value(self._fields(1, 4, 1))
        uid = action.uid if dice.random() < 0.98 else (self.action_type, "unknown")
        body = {"principal": pair(principal), "action": pair(uid), "resource": pair(resource)}
        return body | {"context": self.as_json(context, hinted)}

    def _subject(self, name: str) -> tuple[str, str]:
        entity_type = self.types[name]
        return (name, self.dice.choice(entity_type.ids[: entity_type.stored] if self.dice.random() < 0.93 else entity_type.ids))

    # MARK: - Schema

    def schema(self) -> str:
        lines = []
        for entity_type in self.types.values():
            name = entity_type.name.removeprefix(self.namespace)
            if entity_type.choices:
                lines.append(f"entity {name} enum [{', '.join(quoted(id_) for id_ in entity_type.ids)}];")
                continue
            parents = f" in [{', '.join(entity_type.parents)}]" if entity_type.parents else ""
            tags = f" tags {type_text(entity_type.tags)}" if entity_type.tags is not None else ""
            lines.append(f"entity {name}{parents} = {type_text(entity_type.attributes)}{tags};")
        for uid, groups in self.groups.items():
            lines.append(f"action {quoted(uid[1])}{_members(groups)};")
        for action in self.actions.values():
            applies = f"principal: [{', '.join(action.principals)}], resource: [{', '.join(action.resources)}]"
            context = type_text(action.context)
            lines.append(f"action {quoted(action.uid[1])}{_members(action.groups)} appliesTo {{ {applies}, context: {context} }};")
        text = "\n".join(lines)
        return f"namespace {self.namespace.removesuffix('::')} {{\n{text}\n}}\n" if self.namespace else text + "\n"


def pair(uid: tuple[str, str]) -> dict:
    return {"type": uid[0], "id": uid[1]}


def _members(groups) -> str:
    return f" in [{', '.join(quoted(group[1]) for group in groups)}]" if groups else ""


def type_text(kind) -> str:
    if kind[0] == "Entity":
        return kind[1]
    if kind[0] == "Set":
        return f"Set<{type_text(kind[1])}>"
    if kind[0] == "Record":
        return "{" + ", ".join(_field(*field) for field in kind[1]) + "}"
    return f"__cedar::{kind}"


def _field(name: str, kind, required: bool) -> str:
    return f"{name if identifier(name) else quoted(name)}{'' if required else '?'}: {type_text(kind)}"
