"""Fetches artifacts from a Maven repository and checks each against the SHA-256 in a lock file.

A lock file has one artifact per line: its SHA-256, then group:artifact:version or group:artifact:type:classifier:version.

Maven fetches them, so its settings decide about mirrors, proxies and credentials. Its checksums are not sufficient: they
come from the same repository as the artifacts, and it only warns if they differ. An artifact therefore enters the folder
only after its SHA-256 was compared with the lock file.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from xml.sax.saxutils import escape

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>outbox</groupId>
  <artifactId>{name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>{plugin_version}</version>
        <configuration>
          <outputDirectory>${{project.basedir}}/out</outputDirectory>
          <artifactItems>
{items}          </artifactItems>
        </configuration>
      </plugin>
    </plugins>
  </build>
</project>
"""

ITEM = """\
            <artifactItem>
              <groupId>{group}</groupId>
              <artifactId>{artifact}</artifactId>
              <version>{version}</version>
              <type>{type}</type>
              <classifier>{classifier}</classifier>
            </artifactItem>
"""

# Replaces the user's settings, because mirrors in those would take precedence over this one.
SETTINGS = """\
<settings>
  <mirrors>
    <mirror>
      <id>MAVEN_REPO</id>
      <mirrorOf>*</mirrorOf>
      <url>${env.MAVEN_REPO}</url>
    </mirror>
  </mirrors>
</settings>
"""


class FetchError(Exception):
    """An artifact cannot be fetched, or its SHA-256 differs from the lock file. The text is one line."""


class Artifact:
    def __init__(self, line):
        self.sha256, self.coordinate = line.split()
        self.group, self.name, *packaging, self.version = self.coordinate.split(":")
        self.type, self.classifier = packaging or ("jar", "")
        suffix = f"-{self.classifier}" if self.classifier else ""
        self.file = f"{self.name}-{self.version}{suffix}.{self.type}"


def read(lock):
    lines = pathlib.Path(lock).read_text(encoding="ascii").splitlines()
    return [Artifact(line) for line in lines if line and not line.startswith("#")]


def missing(artifacts, folder):
    """Returns the artifacts that the folder does not have, or has with another SHA-256."""
    return [artifact for artifact in artifacts
            if not (folder / artifact.file).is_file() or _sha256(folder / artifact.file) != artifact.sha256]


def fetch(lock, folder):
    """Fetches the missing artifacts into the folder. Removes jars that are not in the lock file, because the whole folder
    is used as class path. Maven is started only if an artifact is missing. Each run uses a local Maven repository of its
    own and deletes it, so concurrent runs share nothing, and an artifact that was refused is not used by a later run.
    Raises FetchError.
    """
    artifacts = read(lock)
    wanted = missing(artifacts, folder)
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        # The scratch folder is in the same file system, so an artifact can be moved into the folder atomically.
        with tempfile.TemporaryDirectory(prefix="maven-", dir=folder.parent) as scratch:
            log = resolve(wanted, pathlib.Path(scratch), pathlib.Path(scratch, "repository"))
            _take(wanted, pathlib.Path(scratch, "out"), folder, log, pathlib.Path(lock).name)
    for stray in set(folder.glob("*.jar")) - {folder / artifact.file for artifact in artifacts}:
        stray.unlink(missing_ok=True)


def resolve(artifacts, scratch, repository, options=()):
    """Lets Maven copy the artifacts, unchecked, to scratch/out, with `repository` as its local repository. Returns Maven's
    output."""
    maven = shutil.which("mvn")
    if not maven:
        raise FetchError("Maven (mvn), which fetches the missing artifacts, is not installed; install the Debian "
                         "package maven (scripts/install test)")
    items = "".join(ITEM.format(group=escape(artifact.group), artifact=escape(artifact.name), type=escape(artifact.type),
                                version=escape(artifact.version), classifier=escape(artifact.classifier))
                    for artifact in artifacts)
    pom, settings = scratch / "pom.xml", scratch / "settings.xml"
    pom.write_text(POM.format(name=scratch.name, plugin_version=PLUGIN.rpartition(":")[2], items=items), encoding="utf-8")
    settings.write_text(SETTINGS, encoding="ascii")
    # An empty variable counts as unset everywhere.
    mirror = ["-s", settings] if os.environ.get("MAVEN_REPO") else []
    # Using only Java's fast compiler halves the time of such a short run.
    environment = {**os.environ, "MAVEN_OPTS": f"-XX:TieredStopAtLevel=1 {os.environ.get('MAVEN_OPTS', '')}"}
    # setpriv makes the kernel kill Maven if this program ends, even if it is killed.
    done = subprocess.run(["setpriv", "--pdeathsig", "KILL", "--", maven, "-B", "-f", pom, *mirror,
                           f"-Dmaven.repo.local={repository}", *options, f"{PLUGIN}:copy"],
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line.removeprefix("[ERROR] ").removesuffix(" -> [Help 1]") for line in lines if line.startswith("[ERROR]")]
        reason = errors[0] if errors else " ".join(lines[-3:]) or f"exit code {done.returncode}"
        raise FetchError(f"Maven failed: {reason}")
    return done.stdout


def _take(artifacts, out, folder, log, lock_name):
    refused = []
    for artifact in artifacts:
        digest = _sha256(out / artifact.file)
        if digest == artifact.sha256:
            os.replace(out / artifact.file, folder / artifact.file)
        else:
            refused.append(f"{artifact.coordinate} from {_source(artifact, log)} has SHA-256 {digest}; "
                           f"{lock_name} expects {artifact.sha256}")
            # The folder may still have an older file with a wrong SHA-256; that is removed too.
            (folder / artifact.file).unlink(missing_ok=True)
    if refused:
        raise FetchError(refused[0] + (f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""))


def _source(artifact, log):
    line = re.search(rf"Downloaded from \S+: (\S+/{re.escape(artifact.file)})\s", log)
    return line[1] if line else "Maven's repositories"


def _sha256(path):
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
