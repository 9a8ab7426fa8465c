"""Software that nobody here wrote and that tests are run against: installed before them, each once, from PyPI or npm.

    python tests/systems/third_party.py                        # what `make test` needs
    python tests/systems/third_party.py stripe-stateful-mock   # these

Tests ask for it with `required` and install nothing: one that downloads is slow, or fails, for reasons it can't tell.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from install_lock import INSTALLED, SYSTEMS, install_lock

TESTS = Path(__file__).parents[1]


class NotInstalled(Exception):  # noqa: N818 - reads as what it is
    """What a test needs is not there; the message says how it gets there."""


@dataclass(frozen=True, slots=True)
class PythonPackages:
    """Packages of PyPI in a virtual environment of their own."""

    name: str
    requirements: tuple[str, ...]
    target: str = "install-test"
    """What of the Makefile installs it."""

    @property
    def home(self) -> Path:
        return SYSTEMS / self.name

    @property
    def programs(self) -> Path:
        return self.home / "bin"

    @property
    def marker(self) -> Path:
        return self.home / "installed.txt"

    @property
    def wanted(self) -> str:
        """What the marker says where the right packages are installed."""
        return "\n".join(self.requirements)

    def install(self) -> None:
        run([sys.executable, "-m", "venv", "--clear", str(self.home)], Path.cwd())
        pip = [str(self.programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, *self.requirements], Path.cwd())


@dataclass(frozen=True, slots=True)
class NodePackages:
    """Packages of npm in a folder of their own."""

    name: str
    source: Path
    """A folder with a package.json, and a package-lock.json if every version is fixed."""
    target: str = "install-test"

    @property
    def home(self) -> Path:
        return INSTALLED / "npm" / self.name

    @property
    def marker(self) -> Path:
        return self.home / "installed.json"

    @property
    def wanted(self) -> str:
        return self._manifests[-1].read_text(encoding="utf-8")

    @property
    def _manifests(self) -> list[Path]:
        return sorted(self.source.glob("package*.json"), key=lambda path: len(path.name))

    def install(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.marker.unlink(missing_ok=True)
        for manifest in self._manifests:
            shutil.copy(manifest, self.home)
        kind = "ci" if len(self._manifests) > 1 else "install"
        run(["npm", kind, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], self.home)


Packages = PythonPackages | NodePackages

BACKLOT = PythonPackages("backlot", ("backlot==0.1.0", "hubspot-api-client==12.0.0"))
MOCKFORCE = PythonPackages("mockforce", ("simple-mockforce==0.8.1", "simple-salesforce==1.12.10", "urllib3<2"))
LOCALSTRIPE = PythonPackages("localstripe", ("localstripe==1.15.10",))
TRYTON = PythonPackages(
    "tryton",
    tuple(
        f"{name}==8.2.*"
        for name in (
            "trytond",
            "proteus",
            "trytond_account_invoice",
            "trytond_account_invoice_defer",
            "trytond_account_credit_limit",
            "trytond_party_relationship",
        )
    ),
)
CLIENTS = NodePackages("clients", TESTS / "clients" / "node")
PLANNERS = NodePackages("planners", TESTS / "conformance" / "planners")
STATEFUL_MOCK = NodePackages("stripe-stateful-mock", TESTS / "systems" / "stateful_mock", "test-systems")
COMPOSITION = NodePackages("composition", TESTS / "composition" / "apollo", "differential")

OF_TESTS: tuple[Packages, ...] = (TRYTON, CLIENTS, BACKLOT, PLANNERS, LOCALSTRIPE, MOCKFORCE)
"""What `make test` needs, what takes longest first."""
ALL: tuple[Packages, ...] = (*OF_TESTS, STATEFUL_MOCK, COMPOSITION)


def required(packages: Packages) -> Path:
    """Return where packages are installed. Raises NotInstalled, naming the command that installs them."""
    if not is_installed(packages):
        raise NotInstalled(f"{packages.name} is not installed: run `make {packages.target}` (needs PyPI and npm)")
    return packages.home


def is_installed(packages: Packages) -> bool:
    """Return whether the packages are there in the versions wanted."""
    try:
        return packages.marker.read_text(encoding="utf-8") == packages.wanted
    except FileNotFoundError:
        return False


def install(wanted: Sequence[Packages]) -> list[str]:
    """Install what is missing, side by side, and tell of it; return what went wrong, a paragraph each."""
    if all(map(is_installed, wanted)):
        return []
    with install_lock(), ThreadPoolExecutor(3) as threads:
        # Inside the lock: another process may just have installed it.
        return [problem for problem in threads.map(_install, wanted) if problem is not None]


def _install(packages: Packages) -> str | None:
    if is_installed(packages):
        return None
    source = "npm" if isinstance(packages, NodePackages) else "PyPI"
    print(f"  {packages.name} from {source} …", flush=True)
    began = time.monotonic()
    try:
        packages.install()
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or ""
        return f"{packages.name} could not be installed from {source}: {error}\n{words[-2000:]}".rstrip()
    packages.marker.write_text(packages.wanted, encoding="utf-8")
    print(f"  {packages.name} is installed ({time.monotonic() - began:.0f} s)", flush=True)
    return None


def run(command: list[str], folder: Path) -> None:
    """Run a command to its end. Raises CalledProcessError with its words, or TimeoutExpired."""
    subprocess.run(command, cwd=folder, check=True, timeout=900, capture_output=True, text=True)


def main(names: Sequence[str]) -> int:
    """Install packages by name, or what `make test` needs; return the exit status."""
    known = {packages.name: packages for packages in ALL}
    if unknown := [name for name in names if name not in known]:
        print(f"unknown: {', '.join(unknown)}; known here: {', '.join(known)}", file=sys.stderr)
        return 2
    problems = install([known[name] for name in names] or OF_TESTS)
    for problem in problems:
        print(f"✗ {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
