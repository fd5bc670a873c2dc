#!/usr/bin/env python3
"""Copy the headers of the plugin ABI to frozen_v1/, against which the test `abi` builds a plugin.

usage: freeze.py

Until the first release the ABI may still change. From then on frozen_v1/ is the contract of that release: a plugin that
was built against it must work with every later relay, so this program refuses to overwrite it.
"""

import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HEADERS = ROOT / "sdk" / "include" / "outbox"
UNRELEASED = re.compile(r"^## 0\.1\.0 — not released$", re.MULTILINE)


def main():
    if not UNRELEASED.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        sys.exit("frozen_v1 is not written: CHANGELOG.md says that version 0.1.0 is released. A change of the ABI now needs "
                 "a field or an extension at the end of what is there")
    frozen = HERE / "frozen_v1" / "outbox"
    shutil.rmtree(frozen)
    for header in [HEADERS / "plugin.h", *sorted((HEADERS / "ext").glob("*.h"))]:
        copy = frozen / header.relative_to(HEADERS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(header, copy)


main()
