"""The same questions to both engines, and what is different in their answers.

    python Tests/EndToEnd/rig/cedar/differential.py --seed 7 --requests 200000

Every set of policies has dice of its own, made of the seed and its number, so that a difference can be looked at alone:
`--seed 7 --only 1234 --keep DIR` leaves its files in a folder.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import sys
import tempfile
import time

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from rig.cedar.engines import Question, Unloadable, official, official_findings, our_findings, ours
from rig.cedar.policies import policy_set
from rig.cedar.world import World

#: How many requests each set of policies is asked.
REQUESTS_A_SET = 50

#: What an evaluation error is about, by the official engine's words.
ERRORS = {
    "overflow": "overflow",
    "a missing attribute": "does not have the attribute",
    "a missing tag": "does not have the tag",
    "a missing entity": "does not exist",
    "a wrong type": "type error",
    "an extension function": "error while evaluating `[a-z]+` extension function",
    "wrong arguments": "wrong number of arguments",
}


class Tally:
    """What was asked and answered, and every difference."""

    def __init__(self):
        self.sets = self.policies = 0
        self.differences: list[str] = []
        self.outcomes, self.used, self.errors, self.messages = (collections.Counter() for _ in range(4))
        self.reasons: set[tuple[int, str]] = set()

    @property
    def requests(self) -> int:
        return sum(self.outcomes[name] for name in ("allow", "deny by forbid", "deny by default", "refused"))

    def share(self, outcome: str) -> float:
        return self.outcomes[outcome] / max(self.requests, 1)

    def add(self, other: "Tally") -> None:
        self.sets += other.sets
        self.policies += other.policies
        self.differences += other.differences
        self.reasons |= other.reasons
        for name in ("outcomes", "used", "errors", "messages"):
            getattr(self, name).update(getattr(other, name))

    def count(self, number: int, answer) -> None:
        if answer.decision == "deny":
            self.outcomes["deny by forbid" if answer.reason else "deny by default"] += 1
        else:
            self.outcomes[answer.decision] += 1
        self.outcomes["with errors"] += bool(answer.errors)
        self.outcomes["several reasons"] += len(answer.reason) > 1
        self.reasons |= {(number, policy) for policy in answer.reason}

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {self.share(name):.1%}" for name in self.outcomes if not name.startswith("validation"))
        verdicts = ", ".join(f"{self.outcomes[name]} {name}" for name in ("validation accepts", "validation refuses"))
        errors = ", ".join(f"{name} {count}" for name, count in self.errors.most_common())
        used = ", ".join(f"{name} {count}" for name, count in self.used.most_common())
        return (
            f"{self.requests} requests to {self.sets} sets of {self.policies} policies, {len(self.reasons)} of which determined an answer\n"
            f"answers: {shares}\nverdicts: {verdicts}\nerrors of policies: {errors}\nin the policies: {used}\n"
            f"differences: {len(self.differences)}"
        )


def question(seed: str, number: int, used: collections.Counter) -> Question:
    dice = random.Random(f"{seed}-{number}")
    world = World(dice)
    policies = policy_set(world, dice, used)
    hinted = number % 2 == 0
    requests = [world.request(hinted) for _ in range(REQUESTS_A_SET)]
    return Question(policies, world.entities_json(hinted), requests, world.schema() if hinted else None)


def compare(binary: pathlib.Path, seed: str, number: int, keep: pathlib.Path | None = None) -> Tally:
    tally = Tally()
    asked = question(seed, number, tally.used)
    tally.sets, tally.policies = 1, len(re.findall(r"^(?:permit|forbid) ", asked.policies, re.MULTILINE))
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or pathlib.Path(temporary)
        try:
            expected, messages = official(asked)
        except Unloadable as refusal:
            expected, messages = str(refusal), []
        try:
            answers = ours(binary, folder, asked)
        except Unloadable as refusal:
            answers = str(refusal)
        place = f"seed {seed}, set {number}"
        if isinstance(expected, str) or isinstance(answers, str):
            # The dice make nothing that should be refused.
            tally.differences.append(f"{place}: official: {expected if isinstance(expected, str) else 'loads'}; ours: {answers}")
            return tally
        for index, (theirs, our) in enumerate(zip(expected, answers, strict=True)):
            tally.count(number, theirs)
            if theirs != our:
                tally.differences.append(f"{place}, request {index}: official {theirs}, ours {our}, asked {asked.requests[index]}")
        for message in messages:
            tally.errors[next((name for name, words in ERRORS.items() if re.search(words, message)), message.split("\n")[0])] += 1
        if asked.schema is not None:
            theirs, our = official_findings(asked), our_findings(binary, folder, asked)
            tally.outcomes["validation refuses"] += len(theirs)
            tally.outcomes["validation accepts"] += tally.policies - len(theirs)
            for policy in sorted(theirs ^ our):
                tally.differences.append(f"{place}: validation of {policy}: official {'refuses' if policy in theirs else 'accepts'}")
    return tally


def run(binary: pathlib.Path, seed: str, requests: int) -> Tally:
    """Asks at least so many requests, on all cores."""
    numbers = range(-(-requests // REQUESTS_A_SET))
    tally = Tally()
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(compare, *zip(*((binary, seed, number) for number in numbers), strict=True), chunksize=8):
            tally.add(part)
    return tally


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[4]
    parser = argparse.ArgumentParser(description="Compares kdcube's Cedar with the official engine.")
    parser.add_argument("--seed", default=str(time.time_ns() % 1_000_000))
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--only", type=int, help="the number of one set")
    parser.add_argument("--keep", type=pathlib.Path, help="with --only: a folder for its files")
    binaries = pathlib.Path(os.environ.get("KDCUBE_BINARIES", root / ".build" / "debug"))
    parser.add_argument("--kdcube", type=pathlib.Path, default=binaries / "kdcube")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.only is not None:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        tally = compare(options.kdcube, options.seed, options.only, options.keep)
    else:
        tally = run(options.kdcube, options.seed, options.requests)
    print("\n".join(tally.differences[:50]))
    print(tally)
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
