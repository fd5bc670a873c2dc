"""Makes certificates for tests with the openssl command: an authority, and server certificates that it signs."""

import pathlib
import shutil
import subprocess


class Authority:
    """A certificate authority. `ca` is the certificate file that clients trust. `owner` is the user as whom the server
    runs; nobody else can read the server's keys."""

    def __init__(self, folder, owner=None):
        self._folder = pathlib.Path(folder)
        self._owner = owner
        self.ca = self._folder / "ca.crt"
        self._key = self._folder / "ca.key"
        _openssl("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.ca, "-days", "2", "-subj", "/CN=tests")

    def certify(self, host, days=2):
        """Returns (certificate, key) for a server with the name `host`. With negative `days` the certificate has
        expired."""
        certificate, key, request = (self._folder / f"{host}.{end}" for end in ("crt", "key", "csr"))
        extensions = self._folder / f"{host}.ext"
        kind = "IP" if host[0].isdigit() else "DNS"
        extensions.write_text(f"subjectAltName={kind}:{host}\n")
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={host}")
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", days,
                 "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        if self._owner:
            shutil.chown(key, self._owner)
        return certificate, key


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
