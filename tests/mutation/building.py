"""Write and build the programs of a suite: its sources with all their mutants, and the tests that have to notice them.

Everything is written to the folder `mutation` in Meson's build folder. Meson has compiled the same sources without
mutants, and the compiler options are taken from there.
"""

import concurrent.futures
import dataclasses
import json
import pathlib
import re
import shlex
import subprocess
import tomllib

import mutants
import sources
import writer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# These options of Meson's commands are left out: they slow down building or running, but change no test result.
LEFT_OUT = re.compile(r"-(O\w?|g|MD|W.*|fdiagnostics-color.*|fpch.*|fstack-.*|fcf-.*|D_FORTIFY_SOURCE=.*|U_FORTIFY_SOURCE)$")
POSITION = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+):")


class Failed(Exception):
    """Raised if something cannot be built; the message says why."""


def glob(patterns):
    return [str(path.relative_to(ROOT)) for pattern in patterns for path in sorted(ROOT.glob(pattern))]


@dataclasses.dataclass
class Suite:
    name: str
    files: list
    tests: list = dataclasses.field(default_factory=list)
    simulator: list = dataclasses.field(default_factory=list)
    leave_out: list = dataclasses.field(default_factory=list)
    libraries: list = dataclasses.field(default_factory=list)
    plugin: str = ""
    cases: str = ""

    def sources(self):
        return glob(self.files)

    def test_sources(self):
        return glob(self.tests)

    def simulator_sources(self):
        left_out = set(glob(self.leave_out))
        return [name for name in glob(self.simulator) if name not in left_out and name.endswith(".cpp")]


def read_suites(file=HERE / "suites.toml"):
    return [Suite(name, **parts) for name, parts in tomllib.loads(file.read_text(encoding="utf-8")).items()]


class Compiler:
    """The commands with which Meson compiles the sources."""

    def __init__(self, build, for_module):
        self.build, self.for_module = build, for_module
        commands = build / "compile_commands.json"
        if not commands.exists():
            raise Failed(f"{build} is no build folder of meson: meson setup {build} -Dmutants=true")
        self.entries = {}
        for entry in json.loads(commands.read_text(encoding="utf-8")):
            path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
            if path.is_relative_to(ROOT) and "-DOUTBOX_MUTANTS" not in entry["command"]:
                self.entries.setdefault(str(path.relative_to(ROOT)), shlex.split(entry["command"]))

    def words(self, name, like=None):
        """Return the command for a source, without its input and output. A source that Meson does not know is compiled
        like the source `like`."""
        command = self.entries.get(name) or self.entries.get(like)
        if command is None:
            raise Failed(f"{name} is not compiled in {self.build}: is the test built there?")
        words, skip = [], 0
        for i, word in enumerate(command):
            if skip:
                skip -= 1
            elif word in ("-o", "-c", "-MQ", "-MF", "-include"):
                skip = 1
            elif i == 0 or not LEFT_OUT.match(word):
                words.append(word)
        return words

    def with_mutants(self, name, generated, like=None):
        """Return a command that finds mutated headers before the originals."""
        words = self.words(name, like)
        at = next(i for i, word in enumerate(words) if word.startswith("-"))
        folders = [word[2:] for word in words if word.startswith("-I")]
        ahead = []
        for folder in folders:
            path = (self.build / folder).resolve()
            if path.is_relative_to(ROOT) and not path.is_relative_to(self.build):
                ahead.append(f"-I{generated / path.relative_to(ROOT)}")
        position = [] if self.for_module else ["-fno-pic"]
        return [*words[:at], *ahead, f"-I{ROOT}", *words[at:], "-O2", "-g0", "-w", *position]

    def clang_arguments(self, name):
        """Return the arguments for the syntax tree of a source, or of a header beside it."""
        words = self.words(name)
        kept = [word for word in words if re.match(r"-(std=|D)", word) and "FORTIFY" not in word]
        folders = [f"-I{(self.build / word[2:]).resolve()}" for word in words if word.startswith("-I")]
        return [*kept, *folders, "-resource-dir", sources.resource_folder()]


class Program:
    """An executable or module: its objects, and how they are linked."""

    def __init__(self, path, objects, link):
        self.path, self.objects, self.link = path, objects, link


class Builder:
    def __init__(self, suite, build, jobs):
        self.suite, self.build, self.jobs = suite, build.resolve(), jobs
        self.compiler = Compiler(self.build, bool(suite.plugin))
        self.folder = self.build / "mutation" / suite.name
        self.generated = self.folder / "sources"
        self.names = suite.sources()
        self.units = [name for name in self.names if name.endswith(".cpp")]
        if not self.units:
            raise Failed(f"suite {suite.name}: no source is like {suite.files}")

    def make(self):
        """Find the mutants, write the sources and build. Return (sources, mutants, lines)."""
        originals, found, lines = mutants.find(ROOT, self.names, self.compiler.clang_arguments(self.units[0]))
        self.generated.mkdir(parents=True, exist_ok=True)
        kept = self.without_errors(originals, found)
        self.write_ninja(len(found))
        self.ninja("-f", self.folder / "build.ninja")
        return originals, kept, lines, len(found) - len(kept)

    def ninja(self, *words):
        done = subprocess.run(["ninja", "-C", self.build, f"-j{self.jobs}", *words], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Failed(f"building the mutants of {self.suite.name} failed:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")

    # ---- mutants that do not compile ----

    def without_errors(self, originals, found):
        """Write the sources without the mutants that the compiler refuses. It takes some rounds to find all of them."""
        memory = self.folder / "refused.json"
        known = json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else []
        refused = set(known)
        for _ in range(12):
            kept = [mutant for mutant in found if mutant.id not in refused]
            stretches = writer.write(originals, kept, self.generated)
            guilty = self.refused_by_compiler(stretches)
            if not guilty:
                memory.write_text(json.dumps(sorted(refused)), encoding="utf-8")
                return kept
            refused |= {mutant.id for mutant in found if mutant.number in guilty}
        raise Failed(f"{self.suite.name}: the compiler refuses the mutants after 12 rounds; last {sorted(guilty)}")

    def refused_by_compiler(self, stretches):
        def check(name):
            source = self.generated / name if (self.generated / name).exists() else ROOT / name
            command = [*self.compiler.with_mutants(name, self.generated), "-fsyntax-only", "-fmax-errors=0",
                       "-fdiagnostics-column-unit=byte", "-fno-diagnostics-show-caret", str(source)]
            if command[0].endswith("ccache"):
                command = command[1:]
            done = subprocess.run(command, cwd=self.build, capture_output=True, text=True, check=False)
            return done.stderr if done.returncode != 0 else ""

        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            outputs = list(pool.map(check, self.units))
        texts = {name: (self.generated / name).read_bytes() for name in stretches}
        guilty = set()
        for output in outputs:
            for message in self.errors(output):
                numbers = self.mutants_of(message, stretches, texts)
                if not numbers:
                    raise Failed(f"{self.suite.name}: an error that belongs to no mutant:\n{message}")
                guilty |= numbers
        return guilty

    @staticmethod
    def errors(output):
        """Yield each error with the lines around it that say where it comes from."""
        block = []
        for line in output.splitlines():
            if re.search(r"In function|In member function|In instantiation|In lambda|At global scope|In constructor", line):
                block = []
            block.append(line)
            if ": error: " in line or ": fatal error: " in line:
                yield "\n".join(block)
                block = []

    @staticmethod
    def mutants_of(message, stretches, texts):
        for found in reversed(list(POSITION.finditer(message))):
            name = found["file"]
            if name not in stretches:
                continue
            lines = texts[name].split(b"\n")
            line = int(found["line"]) + 1  # Two lines were put before the source, and `line` counts from 0.
            offset = sum(len(text) + 1 for text in lines[:line]) + int(found["column"]) - 1
            around = [(end - begin, numbers) for begin, end, numbers in stretches[name] if begin <= offset <= end]
            if around:
                return set(min(around)[1])
        return set()

    # ---- ninja ----

    def write_ninja(self, count):
        states = self.folder / "states.cpp"
        text = ('#include "tests/mutation/mutation.hpp"\n'
                f"std::uint8_t outbox_mutation::states[{count}] = {{}};\n"
                f"const std::size_t outbox_mutation::kStates = {count};\n")
        if not states.exists() or states.read_text(encoding="utf-8") != text:
            states.write_text(text, encoding="utf-8")
        lines = [f"builddir = {self.folder}", "rule compile", "  command = $words -MD -MF $out.d -o $out -c $in",
                 "  depfile = $out.d", "  deps = gcc", "rule link", "  command = $words"]
        self.lines, self.objects = lines, {}
        mutated = [self.object(name) for name in self.units]
        mutated += [self.object("tests/mutation/mutation.cpp", self.units[0]), self.object(str(states), self.units[0])]
        self.programs = [*self.unit_tests(mutated), *self.simulator(mutated), *self.plugin(mutated)]
        for program in self.programs:
            lines += [f"build {program.path}: link {' '.join(map(str, program.objects))}",
                      f"  words = {shlex.join(map(str, program.link))}"]
        (self.folder / "build.ninja").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def object(self, name, like=None):
        """Return the object of a source, which is mutated if it has mutants."""
        path = self.folder / "objects" / (name.replace("/", "_") + ".o" if not name.startswith("/") else
                                          pathlib.Path(name).name + ".o")
        if path not in self.objects:
            self.objects[path] = name
            mutated = self.generated / name
            source = mutated if mutated.exists() and not name.startswith("/") else ROOT / name
            words = shlex.join(self.compiler.with_mutants(name, self.generated, like)).replace("$", "$$")
            self.lines += [f"build {path}: compile {source}", f"  words = {words}"]
        return path

    def unit_tests(self, mutated):
        """Return a program with all Catch2 tests of the suite."""
        names = self.suite.test_sources()
        if not names:
            return []
        libraries = subprocess.run(["pkg-config", "--libs", "catch2-with-main"], capture_output=True, text=True,
                                   check=False)
        objects = [*mutated, *(self.object(name) for name in names)]
        if libraries.returncode != 0:
            objects.append(self.object("tests/catch_main.cpp"))
        path = self.folder / "unit-tests"
        return [Program(path, objects, ["g++", "-no-pie", "-o", path, *objects, *libraries.stdout.split(),
                                       *(f"-l{name}" for name in self.suite.libraries), "-lfmt", "-pthread"])]

    def simulator(self, mutated):
        names = self.suite.simulator_sources()
        if not names:
            return []
        objects = [*mutated, *(self.object(name) for name in names), self.object("tests/mutation/simulate.cpp", names[0])]
        path = self.folder / "simulate"
        return [Program(path, objects, ["g++", "-no-pie", "-o", path, *objects, "-lfmt"])]

    def plugin(self, mutated):
        """Return the suite's plugin, linked again with the mutated objects before the libraries with the originals."""
        if not self.suite.plugin:
            return []
        self.ninja(self.suite.plugin, "tests/contract/outbox-plugin-check")
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", self.suite.plugin], capture_output=True,
                                  text=True, check=True).stdout.splitlines()
        words = shlex.split(commands[-1])
        path = self.folder / pathlib.Path(self.suite.plugin).name
        words[words.index("-o") + 1] = str(path)
        first = next(i for i, word in enumerate(words) if word.endswith(".o"))
        return [Program(path, mutated, [*words[:first], *mutated, *words[first:]])]
