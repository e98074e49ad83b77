"""Build both editions into one static site: <output>/en/, <output>/zh/, a cover that offers both, and a 404 page.

The editions are built side by side into a fresh folder; only when both have come out without a warning does it
replace the previous site, so that a failed build leaves the last good site as it was.
"""

import copy
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from bookkit import ROOT, repository
from bookkit.editions import LANGUAGES


def merge(base, changes):
    """Return `base` with `changes` laid over it, mapping by mapping."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_mappings else value
    return merged


def edition_contents(contents, language):
    """Return the part of _toc.yml that belongs to one edition, with paths relative to book/<language>."""
    prefix = f"book/{language}/"
    parts = []
    for part in contents["parts"]:
        chapters = [
            {**chapter, "file": chapter["file"].removeprefix(prefix)}
            for chapter in part["chapters"]
            if chapter["file"].startswith(prefix) and not chapter["file"].endswith("/index")
        ]
        if chapters:
            parts.append({**part, "chapters": chapters})
    return {"format": contents["format"], "root": "index", "parts": parts}


def edition_configuration(base, language):
    """Return _config.yml with the edition's own settings laid over it and its paths made absolute."""
    changes = yaml.safe_load((ROOT / "book" / language / "edition.yml").read_text("utf8"))
    configuration = merge(base, changes)
    configuration["logo"] = str(ROOT / base["logo"])
    configuration["html"]["favicon"] = str(ROOT / base["html"]["favicon"])
    configuration["html"]["baseurl"] = base["html"]["baseurl"] and base["html"]["baseurl"].rstrip("/") + f"/{language}/"
    configuration["repository"]["path_to_book"] = f"book/{language}"
    configuration["bibtex_bibfiles"] = [str(ROOT / path) for path in base["bibtex_bibfiles"]]
    sphinx = configuration["sphinx"]
    sphinx["local_extensions"] = {name: str(ROOT / path) for name, path in sphinx["local_extensions"].items()}
    for setting in ("templates_path", "html_static_path"):
        sphinx["config"][setting] = [str(ROOT / path) for path in sphinx["config"][setting]]
    sphinx["config"]["book_data"] = ".."
    return configuration


def start_edition(language, work, base, contents, book):
    """Start `jupyter-book build` for one edition of the sources in the folder `book`, in a process of its own."""
    folder = work / language
    folder.mkdir(parents=True)
    configuration, table = folder / "_config.yml", folder / "_toc.yml"
    configuration.write_text(yaml.safe_dump(edition_configuration(base, language), allow_unicode=True), "utf8")
    table.write_text(yaml.safe_dump(edition_contents(contents, language), allow_unicode=True, sort_keys=False), "utf8")
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(book / language),
        "--config",
        str(configuration),
        "--toc",
        str(table),
        "--path-output",
        str(folder),
        "-W",
        "--keep-going",
        "-q",
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def finish_not_found_page(site, path):
    """Give 404.html the site's path and its style inline: it is shown at any address, so that nothing relative works."""
    page = site / "404.html"
    style = f"<style>{(site / 'cover.css').read_text('utf8')}</style>"
    text = page.read_text("utf8").replace("SITE_PATH", path).replace('<link rel="stylesheet" href="cover.css">', style)
    page.write_text(text, "utf8")


def build(output):
    """Build the site into the folder `output`; exits with the build's messages if an edition has a warning."""
    settings = repository.read_settings()
    base = repository.configuration(settings)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".build-") as name:
        work, site = Path(name), Path(name, "site")
        book = repository.copy_book(work / "book", base["repository"]["url"])
        builds = {language: start_edition(language, work, base, contents, book) for language in LANGUAGES}
        failed = False
        for language, process in builds.items():
            messages, _ = process.communicate()
            if process.returncode:
                failed = True
                print(f"--- edition {language}\n{messages.replace(str(book), str(ROOT / 'book'))}", file=sys.stderr)
        if failed:
            sys.exit("The site was not built: mend the warnings above. The previous site, if any, is untouched.")
        for language in LANGUAGES:
            shutil.copytree(
                work / language / "_build" / "html",
                site / language,
                ignore=shutil.ignore_patterns(".buildinfo", "*.inv"),
            )
        for page in site.glob("*/*.html"):
            page.write_text(repository.open_in_colab_from(page.read_text("utf8"), settings), "utf8")
        shutil.copytree(ROOT / "book" / "cover", site, dirs_exist_ok=True)
        finish_not_found_page(site, urlsplit(base["html"]["baseurl"]).path or "/")
        (site / ".nojekyll").touch()  # otherwise GitHub Pages drops the _static folders
        if output.exists():
            output.rename(work / "previous")
        site.rename(output)
    pages = len(list(output.glob("*/*.html")))
    print(f"The site has {pages} pages in two editions. Open {output / 'index.html'} or run: make serve")
