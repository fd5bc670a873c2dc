#!/usr/bin/python3
"""Run the integration tests: tests/integration/run.py [-f] [-j WORKERS] [NAME...]

NAME is a part of a test's id, such as test_end_to_end or Postgres, or fault:26 for the tests of fault 26. -f stops at the
first failure. -j runs that many classes at a time, each in a worker process with servers of its own; the output of a class
is printed when the class has ended. The last line is "N passed, N failed, N skipped"; the exit code is 1 if a test failed.
--slice, or OUTBOX_TEST_SLICE, skips the tests that ../rotation.txt assigns to other slices.

--tap is for meson: stdout gets one TAP line for each test as soon as it has ended. The output of the classes goes to the
file of --log, and the output of classes with a failure also to stderr.
"""

import argparse
import collections
import contextlib
import itertools
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

import rotation  # noqa: E402  pylint: disable=wrong-import-position

SLOW = rotation.read()
OUTCOMES = ("passed", "failed", "skipped")
# A result need not be at the start of a line, because a program that a test ran may have printed an incomplete line before.
RESULT = re.compile(rf"({'|'.join(OUTCOMES)}) +(test_\S+)  ([\d.]+) s$")


class Result(unittest.TestResult):
    """Prints one line for each test when it ends. A failed subtest or clean-up counts as one failure of its test. If the
    set-up of a class or module fails or is skipped, each of its tests gets that outcome."""

    def __init__(self, tests):
        super().__init__()
        self.counts = collections.Counter()
        self.seconds = 0.0  # duration of all tests, without the set-up of their classes
        self._unreported = [test.id() for test in tests]
        self._outcome = "passed"
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._outcome = "passed"
        self._started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self._report(test.id(), self._outcome, time.monotonic() - self._started)

    def _report(self, test_id, outcome, seconds=0.0):
        if test_id in self._unreported:
            self._unreported.remove(test_id)
        self.counts[outcome] += 1
        self.seconds += seconds
        print(f"{outcome:8}{test_id}  {seconds:.1f} s", flush=True)

    def _report_all_of(self, holder, outcome):
        """Reports the outcome for all tests of a class or module. `holder` is unittest's object for it, whose id is for
        example "setUpClass (test_http.HangTest)"."""
        step, _, name = holder.id().partition(" ")
        name = name.strip("()")
        tests = [test_id for test_id in self._unreported if test_id.startswith(f"{name}.")]
        for test_id in tests or [f"{name}.{step}"]:
            self._report(test_id, outcome)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcome = "skipped"
        print(f"  {reason}")
        if not isinstance(test, unittest.TestCase):
            self._report_all_of(test, "skipped")

    def _failed(self, test, trouble):
        self._outcome = "failed"
        print(self._exc_info_to_string(trouble, test), flush=True)
        if not isinstance(test, unittest.TestCase):
            self._report_all_of(test, "failed")

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
    """Handles SIGTERM: ends the running test and then the program, so that servers are stopped and their folders removed. A
    second signal is ignored, because it would interrupt this."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    result.stop()
    sys.exit(143)  # inside a test this exception only fails the test


def expected_seconds(tests):
    """Duration of the tests of a class in seconds: the measured value of rotation.txt, or else a guess of 5 s per test."""
    return sum(entry.seconds for entry in SLOW if any(entry.covers(test.id()) for test in tests)) or 5 * len(tests)


def summary(counts):
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)


def class_of(test):
    return f"{type(test).__module__}.{type(test).__qualname__}"


class PlainReport:
    """Prints the output of each class when it has ended."""

    def result(self, outcome, test_id, seconds):
        pass

    def class_ended(self, output, failed):
        print(output, end="", flush=True)

    def end(self, counts):
        print(summary(counts))
        return int(counts["failed"] > 0)


class TapReport:
    """Prints TAP for meson. The plan comes first, so that a test without a result is an error. Thread: any."""

    def __init__(self, tests, log):
        self._lock = threading.Lock()
        self._number = 0
        self._log = log
        self._print("TAP version 13")
        self._print(f"1..{len(tests)}")

    def _print(self, line):
        print(line, flush=True)

    def result(self, outcome, test_id, seconds):
        with self._lock:
            self._number += 1
            word = "not ok" if outcome == "failed" else "ok"
            comment = "SKIP" if outcome == "skipped" else f"{seconds} s"
            self._print(f"{word} {self._number} - {test_id} # {comment}")

    def class_ended(self, output, failed):
        for stream in [self._log] + [sys.stderr] * failed:
            print(output, end="", file=stream, flush=True)

    def end(self, counts):
        print(summary(counts), file=self._log, flush=True)
        return 0  # meson counts the failures itself


class Workers:
    """Worker processes, which run this program with --worker. Each takes one class after the other and runs its selected
    tests.

    Each worker has a session of its own. A signal to the process group of this program, which meson follows with SIGKILL a
    second later, therefore does not reach the workers, and they have time to stop their servers. They end when this program
    ends for any reason, because the kernel signals each worker when the thread that started it ends. A worker that ends
    earlier is replaced.
    """

    def __init__(self, count, tests, report):
        classes = [list(members) for _, members in itertools.groupby(tests, class_of)]
        self._jobs = queue.SimpleQueue()
        # The longest classes come first, so that none of them runs alone at the end.
        for members in sorted(classes, key=expected_seconds, reverse=True):
            self._jobs.put([test.id() for test in members])
        self._ended = queue.SimpleQueue()
        self._report = report
        self._processes = []
        self._count = min(count, len(classes))
        self._left = len(classes)

    def run(self, stop_at_failure):
        """Runs all classes and reports their output. Returns the number of tests by outcome."""
        for _ in range(self._count):
            threading.Thread(target=self._feed, daemon=True).start()
        counts = collections.Counter()
        with contextlib.closing(self):
            while self._left:
                self._left -= 1
                output, outcomes = self._ended.get()
                self._report.class_ended(output, outcomes["failed"] > 0)
                counts.update(outcomes)
                if stop_at_failure and counts["failed"]:
                    break
        return counts

    def _feed(self):
        """Gives classes to one worker process. Thread: one per worker."""
        process = None
        while True:
            try:
                tests = self._jobs.get_nowait()
            except queue.Empty:
                return
            if process is None or process.poll() is not None:
                process = self._start()
            self._ended.put(self._run_class(process, tests))

    def _start(self):
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", sys.executable, __file__, "--worker"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        self._processes.append(process)
        return process

    def _run_class(self, process, tests):
        """Runs the tests of a class in a worker. Returns what it printed, and the number of tests by outcome."""
        output, outcomes, unreported = "", collections.Counter(), list(tests)
        with contextlib.suppress(OSError):
            print(*tests, file=process.stdin, flush=True)
            for line in process.stdout:
                if line == ENDED:
                    return output, outcomes
                output += line
                if result := RESULT.search(line):
                    outcome, test_id, seconds = result.groups()
                    outcomes[outcome] += 1
                    if test_id in unreported:
                        unreported.remove(test_id)
                    self._report.result(outcome, test_id, seconds)
        process.wait()
        output += f"a worker ended before it had run all of: {', '.join(tests)}\n"
        for test_id in unreported:
            output += f"failed  {test_id}  0.0 s\n"
            outcomes["failed"] += 1
            self._report.result("failed", test_id, "0.0")
        return output, outcomes

    def close(self):
        """Ends the workers, which stop their servers."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


ENDED = "=== ended\n"


def work():
    """The main loop of a worker process. Each line of stdin has the names of the tests of one class."""
    result = None
    signal.signal(signal.SIGTERM, lambda *_: leave(result) if result else sys.exit(143))
    for line in sys.stdin:
        tests = unittest.TestLoader().loadTestsFromNames(line.split())
        result = Result(cases(tests))
        began = time.monotonic()
        tests.run(result)
        took = time.monotonic() - began
        print(f"  {took:.1f} s for these tests, {took - result.seconds:.1f} s of it for their common set-up")
        if result.shouldStop:  # SIGTERM arrived during a test, which failed because of it
            break
        print(ENDED, end="", flush=True)


def is_named(test, name):
    """True if `name` is a part of the test's id, or fault:NUMBER of a fault that the test is for."""
    fault = name.removeprefix("fault:")
    if fault != name:
        return fault in map(str, getattr(getattr(test, test.id().rpartition(".")[2], None), "faults", ()))
    return name in test.id()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-f", action="store_true", dest="stop_at_failure")
    parser.add_argument("-j", type=int, default=1, dest="workers")
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("--log", type=pathlib.Path, default=pathlib.Path("/dev/null"))
    parser.add_argument("--slice", type=int, default=os.environ.get("OUTBOX_TEST_SLICE"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE))
    if asked.worker:
        return work()
    found = list(cases(unittest.TestLoader().discover(str(HERE), top_level_dir=str(HERE))))
    for entry in SLOW:
        if entry.name.startswith("test_") and not any(entry.covers(test.id()) for test in found):
            sys.exit(f"{rotation.FILE.name}: there is no test {entry.name}; correct or remove the line")
    wanted = [test for test in found if not asked.names or any(is_named(test, name) for name in asked.names)]
    if asked.slice:
        wanted = [test for test in wanted if rotation.runs(SLOW, test.id(), asked.slice)]
    if not wanted:
        sys.exit(f"no test to run: none has {' or '.join(asked.names) or 'any name'} in its id")
    if asked.tap:
        with open(asked.log, "w", encoding="utf-8") as log:
            return run_workers(asked, wanted, TapReport(wanted, log))
    if asked.workers > 1:
        return run_workers(asked, wanted, PlainReport())
    result = Result(wanted)
    result.failfast = asked.stop_at_failure
    signal.signal(signal.SIGTERM, lambda *_: leave(result))
    unittest.TestSuite(wanted).run(result)
    return PlainReport().end(result.counts)


def run_workers(asked, tests, report):
    workers = Workers(asked.workers, tests, report)
    signal.signal(signal.SIGTERM, lambda *_: (workers.close(), sys.exit(143)))
    return report.end(workers.run(asked.stop_at_failure))


if __name__ == "__main__":
    sys.exit(main())
