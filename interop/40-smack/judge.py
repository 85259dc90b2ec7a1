"""judge.py REPORT EXPECTED: what Smack reported against what is expected of it.

Prints `ok NAME` or `not ok NAME ...` per test that counts, `expected NAME ...` per test that EXPECTED lists and that
went as listed, and `done N` for the N that count. A listed test that passes counts, and a line tells of it.
"""

import sys

OUTCOMES = ("impossible", "failed", "unsteady")


def expectations(path):
    """Listed tests: name to (outcome, what the failure says, reason)."""
    listed = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 4 or fields[0] not in OUTCOMES or not all(fields):
                sys.exit(f"{path}:{number}: not `outcome | name | what it says | reason`")
            outcome, name, says, reason = fields
            if name in listed:
                sys.exit(f"{path}:{number}: {name} is listed twice")
            listed[name] = (outcome, says, reason)
    return listed


def is_as_listed(listed, outcome, why):
    """Whether a test did what its line in the list says."""
    if listed is None:
        return False
    expected, says, _ = listed
    return says in why and outcome == ("failed" if expected == "unsteady" else expected)


def main():
    report, path = sys.argv[1:]
    listed = expectations(path)
    counted = failed = 0
    with open(report, encoding="utf-8") as lines:
        results = sorted(tuple(line.rstrip("\n").split("\t")) for line in lines)
    for outcome, name, why in results:
        entry = listed.get(name)
        if is_as_listed(entry, outcome, why):
            print(f"expected {name}: {outcome}: {entry[2]}")
            continue
        counted += 1
        if outcome == "passed":
            print(f"ok {name} ({why})" if why else f"ok {name}")
            if entry and entry[0] != "unsteady":
                print(f"note: {name} passes now: take it out of {path}")
        else:
            failed += 1
            print(f"not ok {name}: {outcome}: {why}")
    print(f"done {counted}")
    return 1 if failed or not counted else 0


sys.exit(main())
