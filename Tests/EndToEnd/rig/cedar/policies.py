"""Sets of policies by dice."""

import collections
import random

from .expressions import Expressions
from .world import Action, World


def policy_set(world: World, dice: random.Random, used: collections.Counter) -> str:
    permits = dice.choice((0.55, 0.7, 1.0))
    return "\n".join(_policy(world, dice, used, permits) for _ in range(dice.randint(6, 14)))


def _policy(world: World, dice: random.Random, used: collections.Counter, permits: float) -> str:
    action = dice.choice(list(world.actions.values()))
    principal, resource = dice.choice(action.principals), dice.choice(action.resources)
    make = Expressions(world, dice, principal, resource, action.context, used)
    scope = f"{_subject(make, 'principal', principal)}, {_action(make, action)}, {_subject(make, 'resource', resource)}"
    conditions = [_condition(make) for _ in range(dice.choice((0, 1, 1, 1, 1, 2, 3)))]
    annotation = f'@id("rule {dice.randint(0, 99)}")\n' if dice.random() < 0.1 else ""
    effect = "permit" if dice.random() < permits else "forbid"
    comment = "// one more\n" if dice.random() < 0.05 else ""
    return f"{comment}{annotation}{effect} ({scope}){''.join(conditions)};"


def _condition(make: Expressions) -> str:
    word = make.dice.choice(("when", "when", "when", "unless"))
    make.used[word] += 1
    return f" {word} {{ {make.expression('Bool', make.dice.choice((2, 3, 4, 5, 6))).text} }}"


def _subject(make: Expressions, variable: str, name: str) -> str:
    roll = make.dice.random()
    if roll < 0.45:
        return variable
    if roll < 0.5:
        return f"{variable} == {make.entity(make.world.uid(name)).text}"
    if roll < 0.65:
        return f"{variable} in {make.entity(make.relative(name)).text}"
    if roll < 0.9:
        return f"{variable} is {name}"
    if roll < 0.98:
        return f"{variable} is {name} in {make.entity(make.relative(name)).text}"
    # A template takes no part, but its place in the text counts.
    make.used["template"] += 1
    return f"{variable} {make.dice.choice(('==', 'in'))} ?{variable}"


def _action(make: Expressions, action: Action) -> str:
    roll, dice = make.dice.random(), make.dice
    if roll < 0.35:
        return "action"
    if roll < 0.6:
        return f"action == {make.entity(action.uid).text}"
    group = make.entity(dice.choice(action.groups or [action.uid])).text
    if roll < 0.8:
        return f"action in {group}"
    others = [*make.world.actions, *make.world.groups, (make.world.action_type, "nope")]
    several = [make.entity(dice.choice(others)).text for _ in range(dice.randint(0, 2))]
    if dice.random() < 0.8:
        several.append(make.entity(action.uid).text)
    return f"action in [{', '.join(several)}]"
