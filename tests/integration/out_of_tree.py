"""Uses the SDK as other projects do: it is installed into a prefix, and sources are built against it outside of the
tree."""

import atexit
import functools
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import unittest

from servers import find_binary, wait_until
from servers.process import Process
from servers.relay import ROOT


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(str(part) for part in command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def shared_sdk():
    """The result of install_sdk(), which is called once per run."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-sdk-"))
    atexit.register(shutil.rmtree, folder)
    return install_sdk(folder)


def install_sdk(folder):
    """Installs the parts that authors of plugins and applications need, without the relay. Returns the prefix and the
    environment in which pkg-config finds it."""
    prefix = folder / "prefix"
    run("meson", "setup", folder / "sdk", ROOT, "--prefix", prefix, "-Dtests=false", "-Dbench=false",
        "-Dplugin_sqlite=disabled", "-Dplugin_postgres=disabled")
    run("ninja", "-C", folder / "sdk", "sdk/consumer/liboutbox-consumer.a")
    run("meson", "install", "-C", folder / "sdk", "--no-rebuild", "--tags", "devel")
    return prefix, {**os.environ, "PKG_CONFIG_PATH": str(next(prefix.rglob("outbox-sdk.pc")).parent)}


def build(source, folder, prefix, env):
    """Builds a copy of the source folder. Returns the folder of the copy, which contains build/."""
    copy = folder / "source" / pathlib.Path(source).name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("build*"))
    run("meson", "setup", copy / "build", copy, "--prefix", prefix, "--werror", env=env)
    run("ninja", "-C", copy / "build", env=env)
    return copy


class OutOfTree(unittest.TestCase):
    """Test case with an installed SDK and a temporary folder."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-built-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix, cls.env = shared_sdk()

    @classmethod
    def build(cls, source):
        return build(source, cls.folder, cls.prefix, cls.env)

    def relay(self, plugin, options, is_done, **relay):
        """Runs the daemon with this plugin until is_done() is true. Returns what it has published."""
        config = self.folder / f"{self.id()}.json"
        config.write_text(json.dumps({
            "storage": {"plugin": plugin.stem.removeprefix("outbox-"), "options": options},
            "publisher": {"type": "stdout"},
            "relay": {"poll_interval": "50ms", **relay}}), encoding="utf-8")
        config.chmod(0o600)
        output = self.folder / f"{self.id()}.out"
        # The records go to stdout and the log to stderr, and both are written to this file.
        process = Process([find_binary(), "run", "--config", config], output,
                          env={"OUTBOX_PLUGIN_PATH": str(plugin.parent)})
        self.addCleanup(lambda: process.returncode is None and process.kill())
        try:
            wait_until(is_done, 30, "everything is delivered")
            self.assertEqual(process.stop(), 0)
        except (TimeoutError, AssertionError):
            print(output.read_text(encoding="utf-8"))
            raise
        lines = output.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"topic"')]
