"""`outbox-relay demo` with and without its options."""

import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from servers import Process, TemporaryFolder, outbox_relay, read_topic, wait_until
from servers.relay import environment, find_binary


class DemoTest(unittest.TestCase):
    def test_tells_what_was_committed_delivered_and_rolled_back(self):
        with tempfile.TemporaryDirectory() as folder:
            # The demo finds its plugin next to the program, and leaves no files behind.
            demo = outbox_relay("demo", "--events", 300, env={"TMPDIR": folder, "OUTBOX_PLUGIN_PATH": ""})
            self.assertEqual(demo.returncode, 0, demo.stdout + demo.stderr)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])
        print(demo.stdout)
        self.assertEqual(demo.stderr, "")
        committed, delivered = (int(re.search(rf"^  {what} +(\d+)   ✓", demo.stdout, re.M)[1])
                                for what in ("committed", "delivered"))
        self.assertGreaterEqual(committed, 300)
        self.assertEqual(delivered, committed)
        self.assertRegex(demo.stdout, r"rolled back +[1-9]\d*   ✓ none delivered")
        self.assertRegex(demo.stdout, r"keys \(orders\) +[1-9]\d*   ✓ order per key kept")
        self.assertIn("event_type = OrderPlaced", demo.stdout)

    def test_the_broker_alone_serves_other_programs_until_it_is_stopped(self):
        folder = TemporaryFolder("demo")
        self.addCleanup(folder.remove)
        binary = find_binary()
        broker = Process([binary, "demo", "--broker-only"], folder.path / "log", environment(binary))
        self.addCleanup(lambda: broker.returncode is None and broker.kill())
        said = wait_until(lambda: "Ctrl-C" in broker.log_text() and broker.log_text(), 10, "the broker has started")
        self.assertIn("stores nothing", said)
        bootstrap = re.search(r"listens on (127\.0\.0\.1:\d+)", said)[1]
        subprocess.run(["kcat", "-P", "-b", bootstrap, "-t", "orders", "-K:"], input=b"key:value\n", check=True, timeout=30)
        record, = read_topic(bootstrap, "orders")
        self.assertEqual((record.key, record.payload), (b"key", b"value"))
        self.assertEqual(broker.stop(signal.SIGTERM), 0)


if __name__ == "__main__":
    unittest.main()
