"""Adds up the results of all test projects: skipped tests with their reasons, failed ones, and one last line of sums.

usage: test-summary.py DIR     DIR holds, for each project, NAME/*.trx and NAME.exit (exit code of its run)
Exit code 1 when a test failed, a run ended abnormally, or no test ran.
"""

import pathlib
import sys
import xml.etree.ElementTree as xml

TRX = "{http://microsoft.com/schemas/VisualStudio/TeamTest/2010}"


def main(directory):
    passed, failed, skipped = 0, [], []
    for exit_file in sorted(directory.glob("*.exit")):
        project = exit_file.stem
        failed_before = len(failed)
        for trx in sorted((directory / project).glob("**/*.trx")):
            for result in xml.parse(trx).getroot().iter(TRX + "UnitTestResult"):
                name, outcome = result.get("testName"), result.get("outcome")
                if outcome == "Passed":
                    passed += 1
                elif outcome == "NotExecuted":
                    skipped.append((name, message_of(result)))
                else:
                    failed.append(name)
        code = exit_file.read_text().strip()
        if code != "0" and len(failed) == failed_before:
            failed.append(f"{project}: the run ended abnormally (exit code {code})")

    for name, reason in skipped:
        print(f"skipped: {name}: {reason}")
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or passed == 0 else 0


def message_of(result):
    for tag in ("Message", "StdOut"):
        for element in result.iter(TRX + tag):
            if element.text and element.text.strip():
                return " ".join(element.text.split())
    return "no reason given"


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
