"""The expressions that are true or false: one maker for each operator, the frequent ones several times."""

from .expressions import AND, COMPARISONS, MEMBER, OR, RELATION, SUM, UNARY, Expressions, Node
from .world import ATTRIBUTES, POOLS


def conjunction(make: Expressions, depth: int) -> Node:
    return make.chain(make.expression("Bool", depth - 1), "&&", make.expression("Bool", depth - 1), AND)


def disjunction(make: Expressions, depth: int) -> Node:
    return make.chain(make.expression("Bool", depth - 1), "||", make.expression("Bool", depth - 1), OR)


def negation(make: Expressions, depth: int) -> Node:
    make.used["!"] += 1
    marks = "!" * make.dice.choice((1, 1, 1, 2, 3))
    return Node(marks + make.wrap(make.expression("Bool", depth - 1), MEMBER), UNARY)


def equality(make: Expressions, depth: int) -> Node:
    kind = make.dice.choice(list(make.paths)) if make.dice.random() < 0.6 else make.world.type(1)
    other = kind if make.dice.random() < 0.95 else make.world.type(1)
    left, right = make.expression(kind, depth - 1), make.expression(other, depth - 1)
    if make.dice.random() < 0.1:
        right = left
    return make.relation(left, make.dice.choice(("==", "!=")), right)


def order(make: Expressions, depth: int) -> Node:
    kind = make.dice.choice(("Long", "Long", "datetime", "duration"))
    return make.relation(make.expression(kind, depth - 1), make.dice.choice(COMPARISONS), make.expression(kind, depth - 1))


def units(make: Expressions, depth: int) -> Node:
    """A duration in whole units: rounding shows beside a number that is close to it."""
    unit = make.dice.choice(("toSeconds", "toMinutes", "toHours", "toDays"))
    number = make.literal(("Long", make.dice.choice((-25, -2, -1, 0, 1, 24, 36))))
    return make.relation(make.call(make.expression("duration", depth - 1), unit), make.dice.choice(("==", *COMPARISONS)), number)


def membership(make: Expressions, depth: int) -> Node:
    name = make.dice.choice([make.roots["principal"][1], make.roots["resource"][1]] * 3 + list(make.world.types))
    left = make.leaf(("Entity", name))
    roll = make.dice.random()
    if roll < 0.2:
        return make.relation(Node("action", MEMBER), "in", make.entity(make.dice.choice(list(make.world.groups))))
    if roll < 0.6:
        return make.relation(left, "in", make.entity(make.relative(name)))
    if roll < 0.9:
        elements = [make.entity(make.relative(name)).text for _ in range(make.dice.randint(0, 3))]
        if make.dice.random() < 0.05:
            elements.append(make.leaf("Long").text)
        return make.relation(left, "in", Node(f"[{', '.join(elements)}]", MEMBER))
    other = ("Entity", make.dice.choice(list(make.world.types)))
    return make.relation(left, "in", make.leaf(other if make.dice.random() < 0.5 else ("Set", other)))


def kind_of(make: Expressions, depth: int) -> Node:
    name = make.dice.choice([make.roots["principal"][1], make.roots["resource"][1]])
    claimed = name if make.dice.random() < 0.7 else make.dice.choice([*make.world.types, "Nope"])
    text = f"{make.wrap(make.leaf(('Entity', name)), SUM)} is {claimed}"
    make.used["is"] += 1
    if make.dice.random() < 0.4:
        make.used["is in"] += 1
        within = make.entity(make.relative(name)) if make.dice.random() < 0.9 else make.leaf(make.world.type(1))
        text += f" in {make.wrap(within, SUM)}"
    return Node(text, RELATION)


def presence(make: Expressions, depth: int) -> Node:
    """`has` of one name or of a path, and then mostly what it is good for."""
    make.used["has"] += 1
    kinds = [kind for kind in make.paths if make.fields(kind)]
    if make.dice.random() < 0.5:
        kinds = [kind for kind in kinds if any(make.fields(inner) for _, inner, _ in make.fields(kind))] or kinds
    kind = make.dice.choice(kinds)
    base = make.path(kind)
    assert base
    names, plain = [], True
    while (fields := make.fields(kind)) and (not names or make.dice.random() < 0.7):
        deeper = [field for field in fields if make.fields(field[1])]
        name, kind, _ = make.dice.choice(deeper or fields)
        if make.dice.random() < 0.1:
            name, kind = make.dice.choice(ATTRIBUTES), "Bool"
        if names and not (plain and name.isidentifier() and name.isascii() and name != "if"):
            break
        plain = name.isidentifier() and name.isascii() and name != "if"
        names.append(name)
    if len(names) == 1:
        test = make.has(base, names[0])
    else:
        make.used["has path"] += 1
        test = Node(f"{make.wrap(base, SUM)} has {'.'.join(names)}", RELATION)
    if make.dice.random() < 0.3:
        return test
    path = base
    for name in names:
        path = make.attribute(path, name)
    if kind == "Bool":
        return make.chain(test, "&&", path, AND)
    return make.chain(test, "&&", make.relation(path, make.dice.choice(("==", "!=")), make.expression(kind, depth - 1)), AND)


def likeness(make: Expressions, depth: int) -> Node:
    make.used["like"] += 1
    return Node(f"{make.wrap(make.expression('String', depth - 1), SUM)} like {make.like_pattern()}", RELATION)


def sets(make: Expressions, depth: int) -> Node:
    found = [kind for kind in make.paths if kind[0] == "Set"]
    kind = make.dice.choice(found) if found and make.dice.random() < 0.8 else ("Set", make.world.type(0))
    method = make.dice.choice(("contains", "contains", "containsAll", "containsAny", "isEmpty"))
    left = make.expression(kind, depth - 1)
    if method == "isEmpty":
        return make.call(left, method)
    return make.call(left, method, make.expression(kind[1] if method == "contains" else kind, depth - 1))


def tagged(make: Expressions, depth: int) -> Node:
    owners = [name for name, entity_type in make.world.types.items() if entity_type.tags is not None]
    kind = ("Entity", make.dice.choice(owners)) if owners and make.dice.random() < 0.9 else make.dice.choice(list(make.roots.values()))
    return make.call(make.leaf(kind), "hasTag", make.expression("String", depth - 1))


def decimals(make: Expressions, depth: int) -> Node:
    method = make.dice.choice(("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"))
    return make.call(make.expression("decimal", depth - 1), method, make.expression("decimal", depth - 1))


def addresses(make: Expressions, depth: int) -> Node:
    method = make.dice.choice(("isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange", "isInRange"))
    arguments = [make.expression("ipaddr", depth - 1) for _ in range(method == "isInRange")]
    if make.dice.random() < 0.02:
        arguments.append(make.literal(("ipaddr", make.dice.choice(POOLS["ipaddr"]))))
    return make.call(make.expression("ipaddr", depth - 1), method, *arguments)


def unknown_attribute(make: Expressions, depth: int) -> Node:
    kind = make.dice.choice([kind for kind in make.paths if make.fields(kind) is not None])
    base = make.path(kind)
    assert base
    return make.relation(make.attribute(base, make.dice.choice(ATTRIBUTES)), "==", make.leaf("Long"))


def plain(make: Expressions, depth: int) -> Node:
    return make.leaf("Bool")


CONDITIONS = (
    *(conjunction, disjunction, disjunction) * 6,
    *(negation, equality, order, membership, presence) * 4,
    *(kind_of, likeness, sets, tagged, decimals, addresses) * 3,
    *(plain, unknown_attribute, units, units),
)
