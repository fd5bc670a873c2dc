"""Reads the results of the tests from the logs of the last runs."""

import collections
import json
import re

INTEGRATION = re.compile(r"^(passed|failed|skipped) +(\w+)\.\w+\.(test_\w+)", re.MULTILINE)
CONTRACT = re.compile(r"^(ok|FAILED|CRASHED|skipped|warning) +([a-z]+/[a-z0-9-]+)$", re.MULTILINE)
CONTRACT_WORDS = {"ok": "passed", "FAILED": "failed", "CRASHED": "failed", "skipped": "skipped", "warning": "passed"}
MESON_WORDS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}
ORDER = ("failed", "passed", "skipped")
NOT_RUN = "not run"


class Results:
    """`build` is meson's build folder, `integration` the log of tests/integration/run.py."""

    def __init__(self, build, integration):
        self._counts = collections.defaultdict(collections.Counter)  # (kind, name) -> number of results by outcome
        sources = _tests_by_source(build)
        for test in _runs(build / "meson-logs" / "testlog.json"):
            self._take(test["name"].rpartition(" / ")[2], test, sources)
        for outcome, module, name in INTEGRATION.findall(_read(integration)):
            self._counts["integration", f"{module}.{name}"][outcome] += 1

    def of(self, test):
        """The result of a test in words. A test that ran for several databases has several outcomes."""
        key = {"catch2": test.file.name, "simulation": "every scenario",
               "integration": f"{test.file.stem}.{test.name}"}.get(test.kind, test.name)
        counts = self._counts[test.kind, key]
        outcomes = [f"{outcome} {counts[outcome]}×" if sum(counts.values()) > 1 else outcome
                for outcome in ORDER if counts[outcome]]
        return ", ".join(outcomes) or NOT_RUN

    def _take(self, name, test, sources):
        outcome = MESON_WORDS.get(test["result"], "failed")
        # A Catch2 program has passed if all its cases have passed.
        for file in sources.get(name, ()):
            self._counts["catch2", file][outcome] += 1
        if name == "simulation":
            self._counts["simulation", "every scenario"][outcome] += 1
        if name.startswith("contract-") and not name.startswith("contract-catches-"):
            for word, case in CONTRACT.findall(test.get("stdout", "")):
                self._counts["contract", case][CONTRACT_WORDS[word]] += 1


def _runs(log):
    return [json.loads(line) for line in _read(log).splitlines()]


def _tests_by_source(build):
    """Returns {name of a meson test: sources of the programs that it runs}."""
    targets = json.loads(_read(build / "meson-info" / "intro-targets.json") or "[]")
    # Programs are compared by file name, because some commands have a full path and others one relative to the build
    # folder.
    programs = {_name(target["filename"][0]): {_name(source) for part in target["target_sources"]
                                               for source in part.get("sources", ())} for target in targets}
    tests = json.loads(_read(build / "meson-info" / "intro-tests.json") or "[]")
    return {test["name"]: set().union(*(programs.get(_name(word), ()) for word in test["cmd"])) for test in tests}


def _name(path):
    return path.rpartition("/")[2]


def _read(file):
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
