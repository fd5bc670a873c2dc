"""The table of a comparison: medians of each rival, and the relay's rate as a multiple of the rival's."""

import statistics

FIRST = "ours"
COLUMNS = {
    "drain, events/s": lambda run, _: run["drain"]["events_per_second"],
    "begins after, s": lambda run, _: run["drain"]["first_record_seconds"],
    "own µs/event": lambda run, events: run["drain"]["cpu_seconds"] * 1e6 / events,
    "database µs/event": lambda run, events: run["drain"]["database_cpu_seconds"] * 1e6 / events,
    "peak MiB": lambda run, _: max(run[part]["peak_rss_mib"] for part in ("drain", "latency")),
    "commit to consumer p50, ms": lambda run, _: run["latency"]["commit_to_consumer"]["p50"],
    "p99, ms": lambda run, _: run["latency"]["commit_to_consumer"]["p99"],
    "own µs/event, one by one": lambda run, _: run["latency"]["cpu_seconds"] * 1e6 / run["latency"]["events"],
    "writer late, s": lambda run, _: run["latency"]["begun_late"]["max"] / 1000,
}
COMPARED = "drain, events/s"


def medians(result, events):
    return {name: statistics.median(of(run, events) for run in result["runs"]) for name, of in COLUMNS.items()}


def table(results, events):
    rows = [["", *COLUMNS, "relay / this, events/s"], ["---"] * (len(COLUMNS) + 2)]
    ours = medians(results[FIRST], events)[COMPARED] if results.get(FIRST, {}).get("runs") else None
    for result in results.values():
        if not result["runs"]:
            rows.append([result["name"], _why_not(result), *[""] * len(COLUMNS)])
            continue
        values = medians(result, events)
        rows.append([result["name"], *map(_text, values.values()), f"{ours / values[COMPARED]:.1f}" if ours else ""])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _why_not(result):
    for why in ("not available", "failed"):
        if why in result:
            return f"{why}: {result[why].splitlines()[0]}"
    return "not measured"


def _text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
