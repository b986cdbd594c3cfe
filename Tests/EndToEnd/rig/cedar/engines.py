"""The two engines: `kdcube` and the official one, as PyPI's `cedarpy` carries it. Both answer with an `Answer` for each request."""

import json
import pathlib
import re
import subprocess
import typing

import cedarpy


class Answer(typing.NamedTuple):
    """`refused` where the request does not fit the schema."""

    decision: str
    reason: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


class Question(typing.NamedTuple):
    """What both are asked: policies, entities, requests, and perhaps a schema that entities and requests are held against."""

    policies: str
    entities: str
    requests: list[dict]
    schema: str | None


class Unloadable(Exception):
    """An engine does not take the policies, the entities or the schema."""


def official(question: Question) -> tuple[list[Answer], list[str]]:
    """The answers, and the messages of its evaluation errors."""
    try:
        policies = cedarpy.PolicySet.from_str(question.policies)
        schema = cedarpy.Schema.from_str(question.schema) if question.schema else None
        entities = cedarpy.Entities.from_json_str(question.entities, schema)
    except ValueError as error:
        raise Unloadable(str(error)) from error
    answers, messages = [], []
    for result in cedarpy.is_authorized_batch(question.requests, policies, entities, schema):
        if result.decision == cedarpy.Decision.NoDecision:
            answers.append(Answer("refused"))
            continue
        found = [re.match(r"error while evaluating policy `(policy\d+)`: (.*)", text, re.DOTALL) for text in result.diagnostics.errors]
        assert all(found), result.diagnostics.errors
        messages += [match[2] for match in found if match]
        errors = frozenset(match[1] for match in found if match)
        answers.append(Answer(result.decision.value.lower(), frozenset(result.diagnostics.reasons), errors))
    return answers, messages


def ours(binary: pathlib.Path, folder: pathlib.Path, question: Question) -> list[Answer]:
    files = _write(folder, question)
    command = [binary, "authorize", "--policies", files["policies"], "--entities", files["entities"], "--batch", files["requests"]]
    result = subprocess.run(command + _schema(files), capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in result.stdout.split("\n") if line]
    if len(lines) != len(question.requests):
        raise Unloadable(f"exit {result.returncode}: {result.stderr}")
    return [_answer(line) for line in lines]


def _answer(line: dict) -> Answer:
    return Answer("refused") if "error" in line else Answer(line["decision"], frozenset(line["reason"]), frozenset(line["errors"]))


def official_findings(question: Question) -> frozenset[str]:
    """The ids of the policies that strict validation refuses."""
    result = cedarpy.validate_policies(question.policies, question.schema)
    return frozenset(error.policy_id for error in result.errors)


def our_findings(binary: pathlib.Path, folder: pathlib.Path, question: Question) -> frozenset[str]:
    files = _write(folder, question)
    command = [binary, "validate", "--policies", files["policies"], *_schema(files)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode in (0, 1), result.stderr
    return frozenset(re.findall(r"^error: (policy\d+),", result.stdout, re.MULTILINE))


def _write(folder: pathlib.Path, question: Question) -> dict[str, pathlib.Path]:
    requests = "\n".join(json.dumps(request) for request in question.requests)
    texts = {"policies": question.policies, "entities": question.entities, "requests": requests, "schema": question.schema}
    files = {name: folder / name for name, text in texts.items() if text is not None}
    for name, file in files.items():
        # A carriage return is an error in policies and no new line: nothing may translate it.
        file.write_text(texts[name], newline="")
    return files


def _schema(files: dict[str, pathlib.Path]) -> list:
    return ["--schema", files["schema"]] if "schema" in files else []
