"""Run the chapters in the versions that Google Colab has, with the package installed as a set-up cell installs it.

    python -m bookkit.colab [SLUG ...]       all chapters if none is named

It builds an environment of Python 3.13 with Colab's versions of all packages that the book touches, installs the book's
package from this checkout with the commands of the set-up cells, shows that this replaced nothing, and runs the chapters
one after another, in an empty folder as in Colab. Outputs may differ there from the committed ones; checks must hold.

Colab's versions come from the output of `pip freeze` there: the file named by --freeze or by the variable COLAB_FREEZE,
else ../shared/colab/pip-freeze.txt where it exists, else colab-constraints.txt. The environment stays in _build/colab;
with --reuse it is not built again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from bookkit import ROOT, repository

VERSION = (3, 13)  # Colab's Python
PIN = re.compile(r"^([A-Za-z0-9](?:[\w.-]*\w)?)==(\S+)$", re.M)
KERNEL = ("ipykernel", "ipython")  # Colab's own kernel, which runs the notebooks
PACKAGE_OF = {"sklearn": "scikit-learn", "yaml": "pyyaml"}  # modules whose package has another name
SECONDS_A_CELL = 1800


# What Colab has --------------------------------------------------------------------------------------------------------


def canonical(name):
    """Return a package's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def freeze_file(named=None, environment=os.environ):
    """Return the path of the list of Colab's versions; exits with advice if a named file is not there."""
    named = named or environment.get("COLAB_FREEZE")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            sys.exit(f"There is no file {path}. --freeze (or COLAB_FREEZE) names the output of `pip freeze` in Colab.")
        return path
    for path in (ROOT.parent / "shared" / "colab" / "pip-freeze.txt", ROOT / "colab-constraints.txt"):
        if path.is_file():
            return path
    sys.exit("colab-constraints.txt is missing: name the output of `pip freeze` in Colab with --freeze.")


def read_pins(path):
    """Return {canonical name: "name==version"} from the output of `pip freeze`; exits if it holds no such line.

    Lines of other kinds (addresses, comments) are passed over: nothing that the book touches is installed like that.
    """
    pins = {
        canonical(name): f"{name}=={version}" for name, version in PIN.findall(path.read_text("utf8", errors="replace"))
    }
    if not pins:
        sys.exit(f"{path} holds no line like numpy==2.1.3: it should be the output of `pip freeze` in Colab.")
    return pins


def packages_touched(pins, slugs):
    """Return the names, out of `pins`, of what the chapters import and of what the notebooks' kernel needs."""
    modules = set().union(*(repository.imported_modules(read_chapter(slug)) for slug in slugs))
    names = {canonical(PACKAGE_OF.get(module, module)) for module in modules} | set(KERNEL)
    return sorted(names & set(pins))


# The environment -------------------------------------------------------------------------------------------------------


def find_python(named=None):
    """Return the path of a Python of Colab's version; exits with advice if there is none."""
    for candidate in [named] if named else [sys.executable, "python3.13", "python3", "python"]:
        path = shutil.which(candidate)
        program = "import sys; print(*sys.version_info[:2])"
        found = subprocess.run([path, "-c", program], capture_output=True, text=True).stdout.split() if path else []
        if found == [str(part) for part in VERSION]:
            return path
    missing = f"Python 3.13 is needed, which Colab has, and {named} is none"
    if not named:
        missing = "There is no python3.13 here, which Colab has"
    sys.exit(f"{missing}: install it, or name it with --python (make colab COLAB_PYTHON=PATH).")


def quietly(command, what, **options):
    """Run a command and return what it printed; exits with its messages if it fails."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf8", **options)
    if result.returncode:
        sys.exit(f"{result.stdout}{result.stderr}\n{what} did not work; the messages are above.")
    return result.stdout


def installed(python):
    """Return {canonical name: version} of what is installed in an environment."""
    listed = json.loads(
        quietly([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"], "pip list")
    )
    return {canonical(entry["name"]): entry["version"] for entry in listed}


def replaced(before, after):
    """Return one line for each package of `before` that has another version in `after` or is gone."""
    return [
        f"{name} {version} -> {after.get(name, 'removed')}"
        for name, version in sorted(before.items())
        if after.get(name) != version
    ]


def copy_package(folder):
    """Copy what pip needs to build the book's package, so that the build leaves nothing in the checkout; return its address."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder.resolve().as_uri()


def build_environment(folder, python, pins, slugs):
    """Create the environment with Colab's versions; return the path of its interpreter and the package's address.

    What goes in is what pip would take for the book's package with all extras, for the chapters' imports and for the
    kernel, as far as Colab has it.
    """
    own = folder / "environment" / "bin" / "python"
    quietly([python, "-m", "venv", "--clear", folder / "environment"], "The creation of the environment")
    pip = [own, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    constraints, report = folder / "pins.txt", folder / "report.json"
    constraints.write_text("\n".join(pins.values()) + "\n", "utf8")
    if "pip" in pins:
        quietly([*pip, "install", pins["pip"]], "The installation of Colab's pip")
    address = copy_package(folder / "package")
    everything = f"{repository.PACKAGE}[{','.join(sorted(repository.extras()))}] @ {address}"
    names = packages_touched(pins, slugs)
    quietly(
        [*pip, "install", "--dry-run", "--report", report, "-c", constraints, everything, *names],
        "The choice of Colab's versions",
    )
    chosen = {canonical(entry["metadata"]["name"]) for entry in json.loads(report.read_text("utf8"))["install"]}
    there = sorted(pins[name] for name in chosen & set(pins))
    quietly([*pip, "install", "-c", constraints, *there], "The installation of Colab's versions")
    return own, address


def install_as_set_up_cells_do(folder, python, address, slugs):
    """Run the pip commands of the chapters' set-up cells, print what they added; exits if one replaced anything."""
    needs = sorted(
        {
            (tuple(repository.extras_needed(notebook)), tuple(repository.packaged_requirements(notebook)))
            for notebook in map(read_chapter, slugs)
        }
    )
    colab = installed(python)
    for needed, packaged in needs:
        before = installed(python)
        for command in repository.pip_commands(list(needed), address, packaged):
            command = command.replace("git+file:", "file:")  # this checkout, committed or not
            quietly(
                ["sh", "-c", f'"{python}" -m pip {command} --disable-pip-version-check'], f"pip {command}", cwd=folder
            )
        after = installed(python)
        new = sorted(f"{name} {version}" for name, version in after.items() if name not in before)
        print(
            f"set-up cell with {' and '.join([*needed, *packaged]) or 'no extra'}: {len(colab)} packages of Colab, "
            f"replaced: {len(replaced(colab, after))}, added: {', '.join(new) or 'none'}",
            flush=True,
        )
        if replaced(colab, after):
            sys.exit("The set-up cell replaced what Colab has:\n" + "\n".join(replaced(colab, after)))


# The chapters ----------------------------------------------------------------------------------------------------------


def chapters():
    """Return the names of all chapters."""
    return sorted(path.stem for path in (ROOT / "book" / "en").glob("*.ipynb"))


def read_chapter(slug):
    """Return a chapter's English notebook."""
    return nbformat.read(ROOT / "book" / "en" / f"{slug}.ipynb", as_version=4)


def kernel_manager(folder, python):
    """Return a manager of kernels that run in the environment."""
    from jupyter_client import KernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    place = folder / "kernels" / "colab"
    place.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "Colab", "language": "python"}), "utf8"
    )
    return KernelManager(
        kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    )


def run_chapter(slug, folder, python):
    """Run a chapter in the environment, in an empty folder; return "ok", or the cell at which it stops and why."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook, empty = read_chapter(slug), folder / "content"
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    manager = kernel_manager(folder, python)
    client = NotebookClient(notebook, km=manager, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(empty)}})
    running = []
    client.on_cell_start = lambda cell, cell_index: running.append(cell.id)
    try:
        client.execute(
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": "", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
        )
    except CellExecutionError as error:
        return f"stops at {running[-1]}: {error.ename}: {first_line(error)}"
    except (CellTimeoutError, DeadKernelError) as error:
        return f"stops at {running[-1]}: {type(error).__name__}"
    finally:
        if manager.is_alive():  # the client leaves a kernel that it was given
            manager.shutdown_kernel(now=True)
    return "ok"


def first_line(error):
    """Return what says most about a cell's error in one line: its message, or, as an assertion has none, its statement."""
    message = error.evalue.strip().splitlines()
    statements = re.findall(r"^-+> *\d+ +(.+)$", re.sub(r"\x1b\[[\d;]*m", "", error.traceback), re.M)
    return message[0] if message else statements[-1] if statements else ""


def table(rows):
    """Return the rows (chapter, seconds, result) as a Markdown table."""
    return "\n".join(
        [
            "| chapter | seconds | result |",
            "|---|---:|---|",
            *(f"| {slug} | {seconds:.0f} | {result} |" for slug, seconds, result in rows),
        ]
    )


def record(path, python, pins, date):
    """Write Colab's versions of what the environment holds to a file of constraints."""
    there = sorted(pins[name] for name in installed(python) if name in pins)
    head = (
        f"# Versions in Google Colab, {date}, of all packages that this book touches: lines of `pip freeze` there.\n"
        "# Written by `python -m bookkit.colab --record`; `make colab` runs the chapters with them.\n"
    )
    path.write_text(head + "\n".join(there) + "\n", "utf8")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bookkit colab", description=__doc__.splitlines()[0])
    parser.add_argument("slugs", nargs="*", metavar="SLUG")
    parser.add_argument("--freeze", help="the output of `pip freeze` in Colab")
    parser.add_argument("--python", help="a Python 3.13")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "colab", help="where the environment is built")
    parser.add_argument("--reuse", action="store_true", help="run in the environment of the last call")
    parser.add_argument("--record", metavar="DATE", help="write the versions, as of DATE, to colab-constraints.txt")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.slugs) - set(chapters()))
    if unknown:
        sys.exit(f"There is no chapter {', '.join(unknown)}. The chapters are: {', '.join(chapters())}.")
    if sys.platform == "win32":
        sys.exit("Colab is a Linux machine, and so must be this one: run it in WSL.")
    pins = read_pins(freeze_file(options.freeze))
    folder, slugs = options.folder.resolve(), options.slugs or chapters()
    python = folder / "environment" / "bin" / "python"
    if options.reuse and not (folder / "complete").exists():
        sys.exit(f"There is no complete environment in {folder} to reuse: run without --reuse once.")
    if not options.reuse:
        interpreter = find_python(options.python)
        if folder.exists() and not (folder / "pins.txt").exists() and any(folder.iterdir()):
            sys.exit(f"{folder} holds something else: name another folder with --folder, or empty this one.")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "pins.txt").touch()
        print(f"Building Colab's environment in {folder} (some minutes) ...", flush=True)
        python, address = build_environment(folder, interpreter, pins, chapters())
        if options.record:
            record(ROOT / "colab-constraints.txt", python, pins, options.record)
        install_as_set_up_cells_do(folder, python, address, chapters())
        (folder / "complete").touch()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    here = installed(python)
    print(
        "Running with "
        + ", ".join(f"{name} {here[name]}" for name in ("tensorflow", "keras", "numpy", "protobuf") if name in here),
        flush=True,
    )
    rows = []
    for slug in slugs:
        start = time.monotonic()
        result = run_chapter(slug, folder, python)
        rows.append((slug, time.monotonic() - start, result))
        print(f"{slug}: {rows[-1][1]:.0f} s, {result}", flush=True)
    print(f"\n{table(rows)}")
    if any(result != "ok" for *_, result in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
