#!/usr/bin/env python3
"""Estimate the processor time that compiling the product takes, and fail if it exceeds the limit in cost.txt.

usage: cost.py BUILD_FOLDER            compares, and lists the files that cost most
       cost.py BUILD_FOLDER --files    lists the estimate of each file

The estimate does not depend on the machine or its load. It is computed from the results of a finished build: the size
of the files that each source includes, in bytes, because they have to be parsed; and the size of the machine code in its
object, in bytes, because it had to be generated and optimised. The two factors were fitted to the time of each file in
a release build by GCC 12, without ccache, on one processor. They explain 94 % of the variance between files, and the
total is within 3 % of the measured one. Tests, benchmarks and examples do not count.

Exit code 77 (skipped): the build is not complete.
"""

import json
import pathlib
import re
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT = HERE / "cost.txt"
PRODUCT = ("core/", "plugins/", "sdk/")

SECONDS_PER_BYTE_INCLUDED = 0.24e-6
SECONDS_PER_BYTE_OF_CODE = 47.7e-6
SKIPPED = 77


def product_objects(build):
    """Yield the object files of the product. Object files that tests compile from the same sources are left out."""
    for command in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        source = (build / command["file"]).resolve()
        if source.is_relative_to(ROOT) and source.relative_to(ROOT).as_posix().startswith(PRODUCT):
            if command["output"].startswith(PRODUCT):
                yield command["output"]


def included_files(build, objects):
    """Return {object: files that the compiler read for the object}, from ninja's log of dependencies."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps", *objects], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return {block.split(":")[0]: [build / line.strip() for line in block.splitlines()[1:]]
            for block in text.split("\n\n") if "(VALID)" in block}


def code_size(file):
    """Return the size of the executable sections of a 64-bit ELF object, in bytes."""
    data = file.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        raise ValueError(f"{file}: not a 64-bit ELF object")
    start, = struct.unpack_from("<Q", data, 0x28)
    entry, count = struct.unpack_from("<HH", data, 0x3A)
    if count == 0:  # The number does not fit into the file header, so the first section header contains it.
        count, = struct.unpack_from("<Q", data, start + 32)
    executable, size = 0x4, 0
    for section in range(count):
        flags, = struct.unpack_from("<Q", data, start + section * entry + 8)
        if flags & executable:
            size += struct.unpack_from("<Q", data, start + section * entry + 32)[0]
    return size


def estimate(build):
    """Return {object: seconds}, or None if the build is not complete."""
    objects = sorted(product_objects(build))
    included = included_files(build, objects)
    sizes = {}
    seconds = {}
    for one in objects:
        if one not in included or not (build / one).exists():
            print(f"{one} has not been built")
            return None
        for file in included[one]:
            if file not in sizes:
                sizes[file] = file.stat().st_size if file.exists() else 0
        seconds[one] = (SECONDS_PER_BYTE_INCLUDED * sum(sizes[file] for file in included[one])
                        + SECONDS_PER_BYTE_OF_CODE * code_size(build / one))
    return seconds


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    seconds = estimate(build)
    if seconds is None:
        return SKIPPED
    total = sum(seconds.values())
    by_cost = sorted(seconds, key=seconds.get, reverse=True)
    for one in by_cost if sys.argv[2:] == ["--files"] else by_cost[:10]:
        print(f"{seconds[one]:6.1f} s  {one}")
    limit = int(re.search(r"^(\d+)", LIMIT.read_text(encoding="utf-8"), re.M)[1])
    print(f"{total:6.0f} s  in total, of {len(seconds)} objects; the limit is {limit} s")
    if total > limit:
        return (f"Compiling the product takes {total:.0f} s of a processor, and {LIMIT.name} allows {limit} s. Keep heavy "
                "headers out of the files above (heavy_headers.txt), or raise the limit and say why.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
