"""What the documents say of the tests is so."""

from rig import attacks, complaints
from rig.server import ROOT

TABLE = "\n## Complaints about others\n\n| complaint | tests |\n| --- | --- |\n"


def test_each_complaint_has_a_test_and_each_of_those_tests_names_it():
    tests = complaints.all_tests()
    assert len(tests) > 500
    assert complaints.faults((ROOT / "docs" / "accounting.md").read_text(), tests) == []


def test_each_attack_has_a_test_and_each_of_those_tests_names_it():
    tests = complaints.all_tests()
    document = (ROOT / "docs" / "threat-model.md").read_text()
    assert attacks.faults(document, tests) == []
    assert attacks.faults(document.replace("| 26 |", "| 62 |"), tests)[0] == "attack 26 has no row, or not one"
    assert "attack 26: RateLimitTests.drop does not mention it" in attacks.faults(document, tests | {"RateLimitTests.drop": "attack 2, 6"})


def test_a_table_that_is_wrong_is_seen():
    rows = [f"| {number} | `a.b` |" for number in complaints.COMPLAINTS]
    text = "(complaint 1) " + " ".join(f"complaint {number}" for number in complaints.COMPLAINTS)
    assert complaints.faults(TABLE + "\n".join(rows), {"a.b": text}) == []

    def wrong(index: int, row: str, tests: dict[str, str]) -> list[str]:
        return complaints.faults(TABLE + "\n".join(rows[:index] + [row] + rows[index + 1 :]), tests)

    assert wrong(3, "| 5 | `a.b` |", {"a.b": text}) == ["complaint 4 has 0 rows", "complaint 5 has 2 rows"]
    assert wrong(3, "| 4 | `a.c` |", {"a.b": text}) == ["complaint 4: there is no test a.c"]
    assert wrong(3, "| 4 | by hand |", {"a.b": text}) == ["complaint 4 has neither a test nor a reason"]
    assert wrong(3, "| 4 | does not apply: there is none |", {"a.b": text}) == []
    assert wrong(3, "| 4 | `a.c` |", {"a.b": text, "a.c": "complaint 40 of 4"}) == ["complaint 4: a.c does not mention it"]


def test_numbers_are_read_as_they_are_written():
    assert complaints.mentioned("Complaints 10 and 14: and 3") == {10, 14}
    assert complaints.mentioned("all (complaints 24, 25; 34: no refill)") == {24, 25, 34}
    assert complaints.mentioned("(complaint 20; seeded) 7") == {20}
