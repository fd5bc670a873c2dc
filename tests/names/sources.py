"""Find the public names in the sources: {kind: names}."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(*patterns):
    files = sorted({file for pattern in patterns for file in ROOT.glob(pattern) if "demo" not in file.name})
    if not files:
        raise FileNotFoundError(f"{patterns}: nothing there; correct the paths in {pathlib.Path(__file__).name}")
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def abi():
    """Constants, types, members of structs and the parameters of their functions, extensions, the exported symbol."""
    text = re.sub(r"/\*.*?\*/", "", read("sdk/include/outbox/plugin.h", "sdk/include/outbox/ext/*.h"), flags=re.S)
    yield from re.findall(r"^#define (OUTBOX_(?!\w+_H$)\w+)", text, re.M)
    yield from re.findall(r"^#define OUTBOX_\w+ \"(outbox\.[^\"]+)\"", text, re.M)
    yield from re.findall(r"\b(OUTBOX_\w+) = \d", text)
    yield from re.findall(r"^OUTBOX_EXPORT .*?(\w+)\(", text, re.M)
    yield from re.findall(r"^typedef struct \w+ (\w+);", text, re.M)
    for body, name in re.findall(r"typedef struct\s*\w*\s*\{(.*?)\}\s*(\w+);", text, re.S):
        yield name
        for member in body.split(";"):
            names = re.findall(r"\(\*(\w+)\)|(?<=[\s*])(\w+)(?=\s*(?:[,)\[]|$))", member)
            words = [function or other for function, other in names if not re.match(r"outbox_|u?int\d|void$", other)]
            function = re.search(r"\(\*(\w+)\)", member)
            for word in words:
                of_function = function and word != function.group(1)
                yield f"{name}.{function.group(1)}({word})" if of_function else f"{name}.{word}"


def config():
    yield from re.findall(r'^\s*(?://)?\s*\{?\s*"(\w+)": ', read("docs/guide/outbox-relay.reference.jsonc"), re.M)
    yield from re.findall(r'(?:[sS]ection|root)\.\w+\(\s*"(\w+)"', read("core/config/load.cpp"))


def plugin_options():
    for options in re.findall(r"ReadOptions\(\w+,\s*\{(\{.*?\})\}\)", read("plugins/*/*.cpp"), re.S):
        yield from re.findall(r'\{"(\w+)"', options)


def command_line():
    text = read("core/cli/**/*.cpp")
    yield from re.findall(r'CommandEntry k\w+\{\s*"(\w+)"', text)
    for names in re.findall(r'\b(?:Add|Flag)\(\s*"([^"]+)"', text):
        yield from names.split(",")


def metrics():
    text = read("core/**/metrics.cpp")
    yield from re.findall(r'"(outbox_relay_\w+)"', text)
    yield from re.findall(r'\{\{?"(\w+)", ', text)  # labels


def reasons():
    text = read("core/kafka/*.cpp", "core/publisher/*.cpp", "core/runtime/*.cpp")
    yield from re.findall(r'(?:return |refuse\(|Refusal)\{"(\w+)",', text)
    yield from re.findall(r'Known\{\w+, *"(\w+)"', text)
    yield from re.findall(r'\bk(?:Unknown|Forbidden|Bad)\w+ = "(\w+)"', text)


def json_output():
    """Keys, and the words that stand for a state or a reason."""
    text = read("core/**/status_json.cpp", "core/cli/**/*.cpp")
    text = re.sub(r'CommandEntry \w+\{\s*"\w+"', "", text)
    yield from re.findall(r'\{\{?"([a-z]\w*)",|\["([a-z]\w*)"\] =|\.Set\("([a-z]\w*)",|return "([a-z]\w*)";|Why\("(\w+)"\)', text)


NAMES = {
    "ABI": abi,
    "configuration keys": config,
    "options of plugins": plugin_options,
    "environment": lambda: re.findall(r'"(OUTBOX_[A-Z_]+)"', read("core/**/*.cpp")),
    "commands and options": command_line,
    "exit codes": lambda: map(" ".join, re.findall(r"k(\w+) = (\d+),", read("core/**/exit_code.hpp"))),
    "metrics and labels": metrics,
    "JSON output": json_output,
    "states of a relay": lambda: re.findall(
        r'"(\w+)"', "".join(re.findall(r"kStates\[\] = \{(.*?)\}", read("core/**/*.hpp"), re.S))),
    "reasons of failed events": reasons,
}


def find():
    """Sorted, each name once; where a pattern has alternatives, all but one are empty."""
    return {kind: sorted({"".join(name) for name in names()}) for kind, names in NAMES.items()}
