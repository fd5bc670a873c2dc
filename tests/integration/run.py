#!/usr/bin/python3
"""Runs the integration tests: tests/integration/run.py [-f] [NAME...]

NAME is a part of a test's id, such as test_end_to_end or Postgres. -f stops at the first failure.
The last line is "N passed, N failed, N skipped"; the exit code is 1 if any failed.
"""

import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Result(unittest.TestResult):
    """A line per test, as it ends; a failed subtest or clean-up fails its test once."""

    def __init__(self):
        super().__init__()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self._outcome = "passed"
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._outcome = "passed"
        self._started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self._count(test, self._outcome, time.monotonic() - self._started)

    def _count(self, test, outcome, seconds=0.0):
        self.counts[outcome] += 1
        print(f"{outcome:8}{test.id()}  {seconds:.1f} s", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcome = "skipped"
        print(f"  {reason}")
        if not isinstance(test, unittest.TestCase):  # a whole class or module, which no startTest announces
            self._count(test, "skipped")

    def _failed(self, test, trouble):
        self._outcome = "failed"
        print(self._exc_info_to_string(trouble, test), flush=True)
        if not isinstance(test, unittest.TestCase):
            self._count(test, "failed")

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"  in {subtest.id()}")
            self._failed(test, err)


def cases(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from cases(part)
        else:
            yield part


def leave(result):
    """Ends with the running test, so that the servers and their folders go too; a second signal may not cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    result.stop()
    sys.exit(143)  # within a test no more than its failure


def main():
    arguments = sys.argv[1:]
    if "-h" in arguments or "--help" in arguments:
        sys.exit(__doc__)
    names = [name for name in arguments if name != "-f"]
    sys.path.insert(0, str(HERE))
    found = cases(unittest.TestLoader().discover(str(HERE), top_level_dir=str(HERE)))
    wanted = [test for test in found if not names or any(name in test.id() for name in names)]
    if not wanted:
        sys.exit(f"no test has {' or '.join(names) or 'any name'} in its id")
    result = Result()
    result.failfast = "-f" in arguments
    signal.signal(signal.SIGTERM, lambda *_: leave(result))
    unittest.TestSuite(wanted).run(result)
    print(", ".join(f"{count} {outcome}" for outcome, count in result.counts.items()))
    sys.exit(0 if result.wasSuccessful() else 1)


main()
