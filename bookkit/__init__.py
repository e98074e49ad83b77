"""What builds, checks and proves the book; `python -m bookkit` lists the commands.

editions, places, facts      the book's model: editions, pages and cells, addresses, what a chapter costs and holds
build, serve, sphinx         the site
sync, run                    the notebooks as their writers use them
notebooks, trials, proof     the notebooks as they are proved: pytest collector, readers' trials, records
course                       files for a class
environment, commands        set-up and the commands that call all this

This file and `environment` use the standard library alone: they run before anything is installed.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
