"""A strict parser of Prometheus' text format: everything that the format or its conventions forbid is an error."""

import collections
import math
import re

NAME = r"outbox_relay_[a-z0-9]+(?:_[a-z0-9]+)*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\}})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Metrics:
    def __init__(self):
        self.samples = {}  # (name, labels ordered by name) -> value
        self.types = {}

    def get(self, name, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def sum(self, name):
        return sum(value for (of, _), value in self.samples.items() if of == name)


def parse_metrics(text):
    metrics, family, helped = Metrics(), None, set()
    if not text.endswith("\n"):
        raise ValueError("the last line has no line feed")
    for line in text.splitlines():
        if match := re.fullmatch(rf"# HELP ({NAME}) \S.*", line):
            family = match.group(1)
            if family in helped:
                raise ValueError(f"{family} occurs twice")
            helped.add(family)
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
            if match.group(1) != family or family in metrics.types:
                raise ValueError(f"TYPE does not follow the HELP of its family: {line}")
            metrics.types[family] = match.group(2)
            if (match.group(2) == "counter") != family.endswith("_total"):
                raise ValueError(f"{family} is a {match.group(2)}")
        elif match := SAMPLE.fullmatch(line):
            name, labels, value = match.groups()
            if name not in [family + suffix for suffix in SUFFIXES[metrics.types[family]]]:
                raise ValueError(f"the sample does not belong to the family {family}: {line}")
            pairs = LABEL.findall(labels or "")
            if ",".join(f'{key}="{word}"' for key, word in pairs) != (labels or ""):
                raise ValueError(f"labels: {line}")
            key = name, tuple(sorted(pairs))
            if key in metrics.samples or len(dict(pairs)) != len(pairs):
                raise ValueError(f"twice: {line}")
            metrics.samples[key] = float(value)
            if metrics.types[family] != "gauge" and not metrics.samples[key] >= 0:
                raise ValueError(f"negative: {line}")
        else:
            raise ValueError(f"the line is neither HELP, TYPE nor a sample: {line!r}")
    for family, kind in metrics.types.items():
        if kind == "histogram":
            _check_histogram(metrics, family)
    return metrics


def _check_histogram(metrics, family):
    buckets = collections.OrderedDict((float(dict(labels)["le"]), value) for (name, labels), value in metrics.samples.items()
                                      if name == f"{family}_bucket")
    bounds, counts = list(buckets), list(buckets.values())
    if bounds != sorted(bounds) or counts != sorted(counts) or bounds[-1] != math.inf:
        raise ValueError(f"buckets of {family}: {buckets}")
    if counts[-1] != metrics.get(f"{family}_count"):
        raise ValueError(f"{family}_count differs from the last bucket")
