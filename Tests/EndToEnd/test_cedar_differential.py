"""Our Cedar engine beside the official one, over policies and requests by dice (`rig/cedar`)."""

import pytest

from rig.cedar.differential import ERRORS, run
from rig.server import BINARIES

# All requests are asked before the first test.
pytestmark = pytest.mark.timeout(300)

SEED = "20261128"
REQUESTS = 20_000

#: What must be in the policies.
FEATURES = [
    *"&& || ! == != < <= > >= + - * negation in is if has like when unless template record set ill-typed".split(),
    *("is in", "has path"),
    *"contains containsAll containsAny isEmpty hasTag getTag".split(),
    *"decimal lessThan lessThanOrEqual greaterThan greaterThanOrEqual".split(),
    *"ipaddr isIpv4 isIpv6 isLoopback isMulticast isInRange".split(),
    *"datetime offset durationSince toDate toTime".split(),
    *"duration toMilliseconds toSeconds toMinutes toHours toDays".split(),
]
#: And so often at least, like each kind of error.
TIMES = 40


@pytest.fixture(scope="module")
def tally():
    tally = run(BINARIES / "kdcube", SEED, REQUESTS)
    print(f"seed {SEED}\n{tally}")
    return tally


def test_every_answer_is_the_official_one(tally):
    assert not tally.differences, f"{len(tally.differences)} differences:\n" + "\n".join(tally.differences[:20])
    assert tally.requests >= REQUESTS


def test_the_answers_are_of_every_kind(tally):
    """An engine that always denies, or that never fails, would not pass by chance."""
    least = {"allow": 0.25, "deny by forbid": 0.1, "deny by default": 0.2, "with errors": 0.2, "several reasons": 0.05, "refused": 0.01}
    shares = {name: tally.share(name) for name in least}
    assert all(shares[name] >= share for name, share in least.items()), shares
    assert len(tally.reasons) >= tally.policies // 5, "too few policies ever determine an answer"
    assert min(tally.outcomes["validation accepts"], tally.outcomes["validation refuses"]) >= 400


def test_every_operator_and_every_error_occurs(tally):
    assert {name: tally.used[name] for name in FEATURES if tally.used[name] < TIMES} == {}
    assert {name: tally.errors[name] for name in ERRORS if tally.errors[name] < TIMES} == {}
    assert set(tally.errors) <= set(ERRORS), "the official engine has an error that is not in the table"
