#!/usr/bin/python3
"""hardened.py FILE ENTRY [fortified]: check that a program or plugin has the hardening that meson.build asks for.

ENTRY is a function of the file.
"""

import re
import subprocess
import sys

PER_SOURCE = ("-fstack-protector-strong", "-fstack-clash-protection")


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, errors="replace",
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def lacks(file, entry, fortified):
    elf = tool("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms", file)

    def shows(pattern):
        return re.search(pattern, elf, re.MULTILINE)

    if not shows(r"Type: +DYN"):
        yield "a position that is not fixed (b_pie)"
    if not shows(r"^ +GNU_RELRO "):
        yield "-z relro"
    if not shows(r"\(FLAGS\).* BIND_NOW|\(FLAGS_1\).* NOW"):
        yield "-z now"
    if not shows(r"^ +GNU_STACK .* RW +0x"):
        yield "a stack that cannot be executed"
    if not shows(r" UND __stack_chk_fail"):
        yield "-fstack-protector-strong"
    if not shows(r" UND \w+glibcxx_assert_fail"):
        yield "-D_GLIBCXX_ASSERTIONS"
    if fortified and not shows(r" UND __(?!stack)\w+_chk\b"):
        yield "-D_FORTIFY_SOURCE"
    # The linker sets the property note of the file only if all linked objects have the note, and the start files of
    # some distributions lack it. So the code of ENTRY is examined instead of the note.
    if shows("X86-64") and "endbr64" not in tool("objdump", "--disassemble=" + entry, file):
        yield "-fcf-protection"
    # Not every source needs code for the options in PER_SOURCE, but gcc records its options in the debug information.
    for options in re.findall(r"GNU C(?:\+\+)?\d+ .*", tool("readelf", "--string-dump=.debug_str", file)):
        yield from (f"{wanted} in a source compiled with {options}" for wanted in PER_SOURCE if wanted not in options)


sys.exit("\n".join(f"{sys.argv[1]} lacks {what}" for what in lacks(*sys.argv[1:3], "fortified" in sys.argv)) or 0)
