#!/usr/bin/python3
"""Test that each operator makes its mutants of a small source, which compile, differ, and can be selected singly."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
SKIPPED = 77
if importlib.util.find_spec("clang") is None:
    print("no python3-clang: scripts/install test")
    sys.exit(SKIPPED)

# pylint: disable=wrong-import-position
import equivalents
import mutants
import operators
import sources
import writer

HEADER = """#pragma once
#include <cstdint>
namespace sample {
enum class Color : std::uint8_t { kRed, kGreen };
constexpr int kFew = 3;
struct Point {
  int x = 20, y = 0;
  bool seen = false;
};
int Total(const int* numbers, int count);
Point Move(Point at, int right, int down);
}  // namespace sample
"""

SOURCE = """#include "sample.hpp"
#include <algorithm>
#include <map>
namespace sample {
constexpr const char* kQuery = "select id from t where id > 1";
int Total(const int* numbers, int count) {
  int total = 0;
  for (int i = 0; i < count; ++i) {
    if (numbers[i] == 7 && i != 2) continue;  // a comment
    total += std::max(numbers[i], -kFew);
  }
  return total;
}
Point Move(Point at, int right, int down) {
  std::map<int, Color> colors;
  colors[1] = Color::kRed;
  const auto found = colors.find(right);
  if (found != colors.end() ||
      down > 100) {
    at = {at.x + right, at.y, true};
    return at;
  }
  if (kQuery[0] != 's') {
    at.x = 0;
    at.y = 0;
  }
  const auto shift = [](int by, int more) { return by - more; };
  at.x = shift(right, down);
  return {at.x, at.y};
}
}  // namespace sample
"""

MAIN = """#include <cstdio>
#include "sample.hpp"
int main() {
  const int numbers[] = {7, 1, 7, -9};
  const sample::Point a = sample::Move({}, 1, 2), b = sample::Move({}, 5, 3);
  std::printf("%d %d %d %d %d %d\\n", sample::Total(numbers, 4), a.x, a.y, a.seen, b.x, b.seen);
}
"""

EXPECTED = "5 21 0 1 2 0\n"


class OfASample(unittest.TestCase):
    """One program with all mutants of the sample."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="outbox-mutation-")))
        for name, text in (("sample.hpp", HEADER), ("sample.cpp", SOURCE)):
            (cls.folder / name).write_text(text, encoding="utf-8")
        arguments = ["-std=c++20", "-resource-dir", sources.resource_folder()]
        cls.sources, cls.mutants, cls.lines = mutants.find(cls.folder, ["sample.hpp", "sample.cpp"], arguments)
        generated = cls.folder / "generated"
        writer.write(cls.sources, cls.mutants, generated)
        (generated / "main.cpp").write_text(MAIN, encoding="utf-8")
        count = len(cls.mutants)
        (generated / "states.cpp").write_text('#include "tests/mutation/mutation.hpp"\n'
                                              f"std::uint8_t outbox_mutation::states[{count}] = {{}};\n"
                                              f"const std::size_t outbox_mutation::kStates = {count};\n", encoding="utf-8")
        cls.program = cls.folder / "program"
        subprocess.run(["g++", "-std=c++20", "-w", f"-I{generated}", f"-I{HERE.parents[1]}", "-o", cls.program,
                        generated / "sample.cpp", generated / "main.cpp", generated / "states.cpp", HERE / "mutation.cpp"],
                       check=True)

    def made(self, operator):
        return {f"{mutant.before} -> {mutant.after}" for mutant in self.mutants if mutant.operator == operator}

    def output(self, mutant=None, **environment):
        chosen = {} if mutant is None else {"OUTBOX_MUTATION": str(mutant.number)}
        done = subprocess.run([self.program], env=os.environ | chosen | environment, capture_output=True, text=True,
                              timeout=10, check=False)
        return done.stdout

    def one(self, operator, before, after):
        return next(m for m in self.mutants if (m.operator, m.before, m.after) == (operator, before, after))

    def test_operators(self):
        for operator, change in {
                "negate": "numbers[i] == 7 -> numbers[i] != 7", "condition-true": "i < count -> true",
                "condition-false": "i < count -> false",
                "drop-operand": "found != colors.end() || down > 100 -> down > 100",
                "and-or": "numbers[i] == 7 && i != 2 -> numbers[i] == 7 || i != 2", "boundary": "i < count -> i <= count",
                "arithmetic": "at.x + right -> at.x - right", "constant": "100 -> 50", "boolean": "false -> true",
                "enumerator": "Color::kRed -> Color::kGreen", "sign": "-kFew -> kFew", "increment": "++i -> --i",
                "sibling": "std::max(numbers[i], -kFew) -> std::min(numbers[i], -kFew)",
                "lookup": "colors.find(right) -> colors.end()", "index": "numbers[i] -> 0",
                "swap-arguments": "shift(right, down) -> shift(down, right)",
                "delete-statement": "at.x = shift(right, down); -> ", "default-value": "return at; -> return {};",
                "sql": "kQuery: select id from t where id > 1 -> kQuery: select id from t where id >= 1"}.items():
            if operator == "index":
                change = "i -> 0"
            with self.subTest(operator=operator):
                self.assertIn(change, self.made(operator))
        self.assertEqual(set(operators.OPERATORS), {mutant.operator for mutant in self.mutants})

    def test_the_original_runs_unless_a_mutant_is_chosen(self):
        self.assertEqual(self.output(), EXPECTED)
        for operator, before, after, output in (
                ("default-value", "return at;", "return {};", "5 20 0 0 2 0\n"),
                ("constant", "kFew", "kFew + 1", "4 21 0 1 2 0\n"),
                ("constant", "20", "40", "5 41 0 1 2 0\n"),
                ("boolean", "true", "false", "5 21 0 0 2 0\n"),
                ("delete-statement", "at.x = shift(right, down);", "", "5 21 0 1 20 0\n")):
            with self.subTest(before=before):
                self.assertEqual(self.output(self.one(operator, before, after)), output)

    def test_reached_mutants_are_noted(self):
        file = self.folder / "reached"
        self.output(OUTBOX_MUTATION_REACHED=str(file))
        reached = file.read_text(encoding="ascii")
        self.assertEqual(len(reached), len(self.mutants))
        self.assertEqual(reached[self.one("default-value", "return at;", "return {};").number], "1")
        self.assertEqual(reached[self.one("sign", "-kFew", "kFew").number], "1")
        self.assertEqual(reached[self.one("constant", "0", "1").number], "1")
        self.assertEqual(reached[self.one("delete-statement", "at.x = 0;", "").number], "0")

    def test_an_identity_is_of_one_mutant_and_of_no_line(self):
        self.assertEqual(len({mutant.id for mutant in self.mutants}), len(self.mutants))
        (self.folder / "sample.cpp").write_text("// one line more\n" + SOURCE, encoding="utf-8")
        self.addCleanup((self.folder / "sample.cpp").write_text, SOURCE, encoding="utf-8")
        arguments = ["-std=c++20", "-resource-dir", sources.resource_folder()]
        _, moved, _ = mutants.find(self.folder, ["sample.hpp", "sample.cpp"], arguments)
        self.assertEqual([mutant.id for mutant in moved], [mutant.id for mutant in self.mutants])

    def test_a_diff_shows_the_lines_that_change(self):
        mutant = self.one("drop-operand", "found != colors.end() || down > 100", "down > 100")
        self.assertEqual(mutant.diff(self.sources).splitlines()[1:],
                         ["- if (found != colors.end() ||", "- down > 100) {", "+ if (down > 100) {"])

    def test_each_line_has_a_mutant(self):
        for name, lines in self.lines.items():
            covered = set().union(*(mutant.covers for mutant in self.mutants if mutant.file == name))
            self.assertEqual(lines - covered, set())


class Equivalents(unittest.TestCase):
    def test_the_list_can_be_read(self):
        equivalents.read()

    def test_a_star_stands_for_any_part(self):
        listed = equivalents.Equivalents({"a.cpp | F | negate | x | x -> !(x) | 1": "why", "b.cpp | G | * | * | * | *": "why"})
        self.assertTrue(listed.entry("a.cpp | F | negate | x | x -> !(x) | 1"))
        self.assertTrue(listed.entry("b.cpp | G | constant | return 30; | 30 -> 15 | 1"))
        self.assertIsNone(listed.entry("b.cpp | H | constant | return 30; | 30 -> 15 | 1"))
        self.assertEqual(listed.stale(["a.cpp | F | negate | x | x -> !(x) | 1"]), ["b.cpp | G | * | * | * | *"])


if __name__ == "__main__":
    unittest.main()
