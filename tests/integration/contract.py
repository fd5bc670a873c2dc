"""Runs the contract tests of the plugin ABI against a plugin and a real server."""

import json
import subprocess

from servers import find_binary


class Contract:
    """A mixin. The class of a plugin defines `plugin`, its name, and make_database(), which returns the plugin's
    options."""

    def hold(self, *arguments):
        """Runs outbox-plugin-check, asserts that it succeeds, and returns its output."""
        build = next(up for up in find_binary().parents if (up / "build.ninja").is_file())
        run = subprocess.run(
            [build / "tests/contract/outbox-plugin-check", build / f"plugins/{self.plugin}/outbox-{self.plugin}.so",
             "--options", json.dumps(self.make_database()), *arguments],
            capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(run.returncode, 0, f"\n{run.stdout}{run.stderr}")
        return run.stdout

    def test_random_histories(self):
        for seed in range(1, 11):
            with self.subTest(seed=seed):
                report = self.hold("--only", "history", "--seed", str(seed))
                self.assertIn("2 ok", report)  # one history of events, one of leases
