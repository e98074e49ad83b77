"""Proofs: which chapters were executed on this machine without a fault, and whether that still holds.

A proof is a record in a cache folder outside the repository. The collector of `bookkit.notebooks` writes it after every
cell and every trial of a notebook has passed, and nothing else writes one. It holds the digest of each ingredient that
can change the result; a chapter whose ingredients differ from all records, or whose record is too old, is not proved.

Prose is no ingredient. What the run itself used (modules of `landing`, installed packages) is read from the kernel at
its end, so that a change of one package or of one loader concerns the chapters that import it, and no other.
"""

import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import random
import re
import uuid
from pathlib import Path
from typing import NamedTuple

import nbformat
import platformdirs

from bookkit import ROOT
from bookkit.facts import STUB, python_of
from bookkit.repository import PACKAGED
from landing.models.packaged import FILES

DAYS = 10  # how long a proof holds
DRAWN = 2  # proved chapters that are executed again all the same
PROVER = ("notebooks.py", "trials.py", "proof.py", "facts.py")  # of this package: what decides that a run is green
PROVING_PACKAGES = ("nbval", "pytest", "nbformat", "ipykernel", "jupyter_client")
# What oneDNN, XLA and NumPy choose their code by.
INSTRUCTION_SETS = (
    "sse4_1",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "asimd",
    "sve",
    "bf16",
)
PROVENANCE = re.compile(r"^(?:MNIST|CIFAR-10): .*from the BOOK_DATA folder.*$", re.M)
IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.M)


class Proof(NamedTuple):
    """One record: the chapter, when and in how many seconds it was executed, and the digests of what decided the result."""

    slug: str
    written: datetime.datetime
    seconds: float
    ingredients: dict  # {name: digest}, known before the run
    files: dict  # {path below the folder of `landing`: digest}, loaded by the run
    packages: dict  # {distribution: version}, loaded by the run


def store():
    """Return the folder of the records: in the user's cache, which $XDG_CACHE_HOME moves on Linux."""
    return platformdirs.user_cache_path("landing-large-models") / "proofs"


def digest(*parts):
    """Return the SHA-256 of strings, bytes and JSON values."""
    result = hashlib.sha256()
    for part in parts:
        if not isinstance(part, bytes):
            part = json.dumps(part, sort_keys=True, ensure_ascii=False).encode()
        result.update(hashlib.sha256(part).digest())
    return result.hexdigest()


@functools.cache
def processor_class():
    """Return what of the processor can change a result: its architecture and the instruction sets that libraries choose code by."""
    flags = set()
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux: the processor's name stands for its abilities
        return f"{platform.system()} {platform.machine()} {platform.processor()}"
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            flags = set(line.partition(":")[2].split())
            break
    return " ".join([platform.system(), platform.machine(), *(name for name in INSTRUCTION_SETS if name in flags)])


def full_data_named_by(cells):
    """Return the loaders' lines about full data sets in a notebook's committed outputs."""
    return set(
        PROVENANCE.findall(
            "\n".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)
        )
    )


@functools.cache
def data_digest(folder):
    """Return the digest of the full data sets in a folder, of those that are there."""
    return digest(*(path.read_bytes() for path in sorted(Path(folder).glob("*.npz"))))


def ingredients(path):
    """Return {name: digest} of all that decides a notebook's run and is known before it.

    `path` is an English notebook `<book>/en/<slug>.ipynb`; the full data sets are those in the folder $LANDING_FULL_DATA.
    """
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    bugs = path.parents[1] / "chapters" / path.stem / "bugs.yml"
    full = os.environ.get("LANDING_FULL_DATA", "") if full_data_named_by(cells) else ""
    here = Path(__file__).parent
    return {
        "code": digest([[cell.id, cell.metadata.get("tags", []), cell.source] for cell in code]),
        "outputs": digest([[cell.id, cell.outputs] for cell in code]),
        "stubs": digest([STUB.findall(cell.source) for cell in cells if cell.cell_type == "markdown"]),
        "planted bugs": digest(bugs.read_bytes() if bugs.exists() else b""),
        "data": data_digest(full) if full else "packaged",
        "prover": digest(
            *((here / name).read_bytes() for name in PROVER),
            (ROOT / "tests" / "nbval_sanitize.cfg").read_bytes(),
            [importlib.metadata.version(name) for name in PROVING_PACKAGES],
        ),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "processor": processor_class(),
    }


def landing_folder():
    """Return the folder of the package `landing` in this checkout."""
    return ROOT / "src" / "landing"


def files_of(modules):
    """Return {path: digest} of the files behind modules of `landing`: a package's folder, a module's file.

    A package (`landing.models`) stands for all files beside its `__init__.py`, so that its data count as well.
    """
    folder, found = landing_folder(), set()
    for name in modules:
        place = folder.joinpath(*name.split(".")[1:])
        if place.is_dir():
            found.update(
                file
                for file in place.iterdir()
                if file.is_file() and (file.suffix != ".py" or file.name == "__init__.py")
            )
        elif place.with_suffix(".py").exists():
            found.add(place.with_suffix(".py"))
    return {file.relative_to(folder).as_posix(): digest(file.read_bytes()) for file in sorted(found)}


@functools.cache
def distributions():
    """Return {top-level module: [names of the distributions that install it]}."""
    return importlib.metadata.packages_distributions()


def requirements_of(name, found):
    """Add a distribution and, recursively, what it requires and is installed to the set `found`."""
    from packaging.requirements import Requirement

    if name in found:
        return
    try:
        requires = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    found.add(name)
    for line in requires:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            requirements_of(requirement.name, found)


def packages_of(modules, source):
    """Return {distribution: version} behind a kernel's modules, behind imports in programs that the code writes and starts,
    and behind packaged models and vocabularies, which are read and never imported."""
    tops = {name.partition(".")[0] for name in modules}
    names = {name for top in tops for name in distributions().get(top, [])}
    for top in set(IMPORT.findall(source)) - tops:
        for name in distributions().get(top, []):
            requirements_of(name, names)
    names.update(FILES[name].package for name in PACKAGED.findall(source))
    names.discard("landing-large-models")
    return {name: importlib.metadata.version(name) for name in sorted(names)}


def write(path, modules, seconds):
    """Write the proof of a notebook after a green run; `modules` are the names in the kernel's `sys.modules` at its end.

    Called by the collector alone. Written beside the place and moved there, so that no half record is ever read.
    """
    cells = nbformat.read(path, as_version=4).cells
    source = "\n".join(python_of(cell.source) for cell in cells if cell.cell_type == "code")
    static = ingredients(path)
    record = {
        "slug": path.stem,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "ingredients": static,
        "files": files_of(name for name in modules if name.partition(".")[0] == "landing"),
        "packages": packages_of(modules, source),
    }
    place = place_of(path.stem, static)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{uuid.uuid4().hex}.part")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True), "utf8")
    os.replace(temporary, place)


def place_of(slug, static):
    """Return the record's file for a chapter with these ingredients."""
    return store() / f"{slug}-{digest(static)[:16]}.json"


def discard(path):
    """Remove the proof that holds for a notebook as it stands: a later run of the same disagreed."""
    place_of(path.stem, ingredients(path)).unlink(missing_ok=True)


def read(place):
    """Return the Proof in a file, or None if it is no whole record."""
    try:
        record = json.loads(place.read_text("utf8"))
        return Proof(**{**record, "written": datetime.datetime.fromisoformat(record["written"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def changed(proof, static):
    """Return the names of the ingredients of a proof that are not what they were."""
    names = [name for name in static if proof.ingredients.get(name) != static[name]]
    modules = [re.sub(r"/__init__\.py$|\.py$", "", name) for name in proof.files]
    if (
        files_of(
            f"landing.{name.replace('/', '.')}" if name != "__init__" else "landing"
            for name in modules
            if "." not in name
        )
        != proof.files
    ):
        names.append("landing")
    for name, version in proof.packages.items():
        try:
            now = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            now = None
        if now != version:
            names.append(f"{name} {version} -> {now}")
    return names


def examine(path):
    """Return (Proof, "") of a proved notebook, else (None, why it is not proved)."""
    static = ingredients(path)
    found = [proof for proof in map(read, store().glob(f"{path.stem}-*.json")) if proof and proof.slug == path.stem]
    if not found:
        return None, "never executed here"
    oldest = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=DAYS)
    reasons = {}
    for proof in sorted(found, key=lambda proof: proof.written, reverse=True):
        differences = changed(proof, static)
        if not differences and proof.written >= oldest:
            return proof, ""
        reasons[", ".join(differences) or f"executed more than {DAYS} days ago"] = len(differences)
    return None, f"changed since: {min(reasons, key=reasons.get)}" if min(reasons.values()) else next(iter(reasons))


def draw(slugs, commit):
    """Return the proved chapters that a commit's hash chooses to be executed again."""
    slugs = sorted(slugs)
    return sorted(random.Random(commit).sample(slugs, min(DRAWN, len(slugs))))


def forget_old():
    """Delete records that no longer hold for their age."""
    oldest = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=DAYS)
    for place in store().glob("*.json"):
        proof = read(place)
        if proof is None or proof.written < oldest:
            place.unlink(missing_ok=True)
