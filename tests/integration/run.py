#!/usr/bin/python3
"""Runs the integration tests: tests/integration/run.py [-f] [-j WORKERS] [NAME...]

NAME is a part of a test's id, such as test_end_to_end or Postgres. -f stops at the first failure. -j runs so many classes
at a time, each worker with servers of its own; what a class prints comes when it has ended.
The last line is "N passed, N failed, N skipped"; the exit code is 1 if any failed.
"""

import argparse
import collections
import itertools
import pathlib
import queue
import signal
import subprocess
import sys
import threading
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


def summary(counts):
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def class_of(test):
    return f"{type(test).__module__}.{type(test).__qualname__}"


class Workers:
    """Processes of this program that take one class after the other and run its tests that are wanted."""

    def __init__(self, count, tests):
        classes = [list(members) for _, members in itertools.groupby(tests, class_of)]
        self._jobs = queue.SimpleQueue()
        # The classes with the most tests first, so that no long one is left for the end.
        for members in sorted(classes, key=len, reverse=True):
            self._jobs.put([test.id() for test in members])
        self._results = queue.SimpleQueue()
        self._processes = [subprocess.Popen([sys.executable, __file__, "--worker"], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                           for _ in range(min(count, len(classes)))]
        self._left = len(classes)

    def run(self, stop_at_failure):
        """Prints what the workers print, and returns the counts."""
        for process in self._processes:
            threading.Thread(target=self._feed, args=[process], daemon=True).start()
        counts = collections.Counter()
        while self._left:
            self._left -= 1
            output, some = self._results.get()
            print(output, end="", flush=True)
            counts.update(some)
            if stop_at_failure and counts["failed"]:
                break
        self.end()
        return counts

    def _feed(self, process):
        """One worker's work, on a thread."""
        while True:
            try:
                tests = self._jobs.get_nowait()
            except queue.Empty:
                return
            output, counts = "", None
            try:
                print(*tests, file=process.stdin, flush=True)
                for line in process.stdout:
                    if line.startswith(ENDED):
                        counts = dict(zip(("passed", "failed", "skipped"), map(int, line[len(ENDED):].split())))
                        break
                    output += line
            except OSError:
                pass
            if counts is None:
                self._results.put((f"{output}a worker ended before it had run all of: {', '.join(tests)}\n", {"failed": len(tests)}))
                continue
            self._results.put((output, counts))

    def end(self):
        """Ends the workers, and with them their servers."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


ENDED = "=== ended: "


def work():
    """Of a worker: a line of input names the tests of a class."""
    result = Result()
    signal.signal(signal.SIGTERM, lambda *_: leave(result))
    for line in sys.stdin:
        before = dict(result.counts)
        unittest.TestLoader().loadTestsFromNames(line.split()).run(result)
        if result.shouldStop:  # the signal came during a test, which has failed by it
            break
        print(ENDED, *(count - before[outcome] for outcome, count in result.counts.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-f", action="store_true", dest="stop_at_failure")
    parser.add_argument("-j", type=int, default=1, dest="workers")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE))
    if asked.worker:
        return work()
    found = cases(unittest.TestLoader().discover(str(HERE), top_level_dir=str(HERE)))
    wanted = [test for test in found if not asked.names or any(name in test.id() for name in asked.names)]
    if not wanted:
        sys.exit(f"no test has {' or '.join(asked.names) or 'any name'} in its id")
    if asked.workers > 1:
        workers = Workers(asked.workers, wanted)
        signal.signal(signal.SIGTERM, lambda *_: (workers.end(), sys.exit(143)))
        counts = workers.run(asked.stop_at_failure)
    else:
        result = Result()
        result.failfast = asked.stop_at_failure
        signal.signal(signal.SIGTERM, lambda *_: leave(result))
        unittest.TestSuite(wanted).run(result)
        counts = result.counts
    print(summary(counts))
    return int(counts["failed"] > 0)


sys.exit(main())
