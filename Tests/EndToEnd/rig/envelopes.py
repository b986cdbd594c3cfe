"""What every sequence of events of a run must satisfy, whatever carried it."""

from .sse import TERMINAL

_NAMES = {"gap", "chat_start", "chat_step", "chat_delta", "chat_usage", "chat_approval"} | TERMINAL


def of_sse(events) -> list[dict]:
    """The envelopes of an event stream; each `id` must be `run:seq`, each name the type."""
    envelopes = []
    for event in events:
        envelope = event.json
        assert event.name == envelope["type"].replace(".", "_"), event
        assert event.name in _NAMES, event
        assert event.id == f"{envelope['run_id']}:{envelope['seq']}", event
        envelopes.append(envelope)
    return envelopes


def check_contiguous(envelopes: list[dict], after: int = 0) -> None:
    """No hole, no repeat: `seq` goes on by one, and a merged delta says where it began."""
    for envelope in envelopes:
        first = envelope.get("delta", {}).get("first_seq", envelope.get("first_seq", envelope["seq"]))
        assert first == after + 1, f"after {after} came {first}..{envelope['seq']} ({envelope['type']})"
        after = envelope["seq"]


def check_run(envelopes: list[dict], after: int = 0) -> dict:
    """A whole run, or its rest after `after`: contiguous, one run, exactly one terminal event, at the end. Returns that."""
    assert envelopes, "no event at all"
    assert len({envelope["run_id"] for envelope in envelopes}) == 1
    check_contiguous(envelopes, after)
    terminal = [envelope for envelope in envelopes if envelope["type"].replace(".", "_") in TERMINAL]
    assert len(terminal) == 1, f"{len(terminal)} terminal events: {[e['type'] for e in terminal]}"
    assert envelopes[-1] is terminal[0], f"after the terminal event came {envelopes[-1]}"
    return terminal[0]


def answer(envelopes: list[dict]) -> str:
    return "".join(envelope["delta"]["text"] for envelope in envelopes if envelope["type"] == "chat.delta")


def tokens(text: str) -> int:
    """How many tokens of the scripted model or the witness a text is: both send one word a token."""
    return len(text.split())
