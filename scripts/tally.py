"""Adds up what the suites reported and prints each failure and each test that was skipped because the machine lacks what it needs, then
`N passed, N failed` as the last line; exits 1 unless all passed.

Reads a folder: xUnit files of Swift, the fuzz targets, the Autobahn suite and pytest, TAP files of node, and `NAME.failed` markers of suites whose runner did
not exit 0. A marker without a failed test in its reports (a crash, say) counts as one failure of its own.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def xunit(path: pathlib.Path) -> tuple[int, int, int]:
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    failures = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    for case in failures:
        why = next(part for part in case if part.tag in ("failure", "error"))
        print(f"FAILED {case.get('classname')} {case.get('name')}: {why.get('message') or why.text or ''}"[:1000])
    failed = len(failures)
    skipped = [case for case in cases if case.find("skipped") is not None]
    for case in skipped:
        print(f"SKIPPED {case.get('classname')} {case.get('name')}: {case.find('skipped').get('message') or 'see above'}"[:1000])
    return len(cases) - failed - len(skipped), failed, len(skipped)


def tap(path: pathlib.Path) -> tuple[int, int, int]:
    text = path.read_text()
    for line in re.findall(r"^ *not ok .*$", text, re.MULTILINE):
        print(f"FAILED web client: {line.strip()}")
    counts = {name: int(count) for name, count in re.findall(r"^# (pass|fail) (\d+)$", text, re.MULTILINE)}
    return counts.get("pass", 0), counts.get("fail", 0), 0


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    total_passed = total_failed = 0
    for suite in ("swift", "fuzz", "web", "autobahn", "end-to-end"):
        passed = failed = skipped = 0
        for path in sorted(folder.glob(f"{suite}*")):
            reader = {".xml": xunit, ".tap": tap}.get(path.suffix)
            if reader:
                more_passed, more_failed, more_skipped = reader(path)
                passed, failed, skipped = passed + more_passed, failed + more_failed, skipped + more_skipped
        if (folder / f"{suite}.failed").exists() and failed == 0:
            print(f"{suite}: the runner failed without naming a test")
            failed = 1
        print(f"{suite}: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        total_passed, total_failed = total_passed + passed, total_failed + failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 0 if total_failed == 0 and total_passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
