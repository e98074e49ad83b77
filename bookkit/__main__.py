"""The one command of the book: `python -m bookkit COMMAND`. The Makefile's targets call it."""

import argparse
import sys
from pathlib import Path

from bookkit import BOOK, ROOT


def chapter(slug):
    """Return the slug of an existing chapter, for argparse."""
    known = sorted(path.stem for path in (BOOK / "en").glob("*.ipynb"))
    if slug not in known:
        raise argparse.ArgumentTypeError(f"there is no chapter {slug}. The chapters are: {', '.join(known)}")
    return slug


def parser():
    """Return the parser of all commands."""
    result = argparse.ArgumentParser(prog="python -m bookkit", description=__doc__.splitlines()[0])
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("environment", help="create .venv with everything the book needs, or complete it")
    command = commands.add_parser("site", help="build both editions into one static site")
    command.add_argument("--output", type=Path, default=ROOT / "_build" / "site")
    command = commands.add_parser("serve", help="show the built site on this machine")
    command.add_argument("--port", default="8000")
    command = commands.add_parser(
        "run", help="execute a chapter from the top and carry its outputs to the Chinese edition"
    )
    command.add_argument("slugs", nargs="+", type=chapter, metavar="CHAPTER")
    command = commands.add_parser("sync", help="carry code and outputs from the English notebooks to the Chinese ones")
    command.add_argument("slugs", nargs="*", type=chapter, metavar="CHAPTER")
    command.add_argument(
        "--stamp", action="store_true", help="record that the changed English cells were translated again"
    )
    command.add_argument(
        "--unchanged",
        nargs="+",
        default=[],
        metavar="CELL",
        help="with --stamp: cells whose Chinese text was looked at and need not change",
    )
    commands.add_parser(
        "check",
        help="text, editions, data and tools: no kernel, no browser, no site; under a minute. Other arguments go to pytest",
    )
    command = commands.add_parser("prove", help="execute the chapters that have no valid proof on this machine")
    command.add_argument("slugs", nargs="*", type=chapter, metavar="CHAPTER")
    command = commands.add_parser("test", help="check, prove, and the site in a browser")
    command.add_argument("--all", action="store_true", help="execute every chapter, proved or not")
    command = commands.add_parser("course", help="student and teacher files and slides")
    command.add_argument("slugs", nargs="*", type=chapter, metavar="CHAPTER")
    command.add_argument("--timed", action="store_true", help="run the notebooks and list what each section took")
    command.add_argument("--output", type=Path, default=ROOT / "_build" / "course")
    command = commands.add_parser(
        "colab",
        help="run the chapters with the versions that Colab has; its options: see bookkit/colab.py",
    )
    command.add_argument("rest", nargs=argparse.REMAINDER, metavar="CHAPTER | OPTION")
    command = commands.add_parser("measure", help="words, cells and longest line of each chapter, beside the limits")
    command.add_argument("slugs", nargs="*", type=chapter, metavar="CHAPTER")
    return result


def main(arguments=None):
    """Run one command and return its exit status. Each imports what it needs: `environment` runs before anything is installed."""
    if arguments is None:
        arguments = sys.argv[1:]
    options, others = parser().parse_known_args(arguments)
    if others and options.command not in ("check", "colab"):
        parser().error(f"unknown arguments: {' '.join(others)}")
    if options.command == "environment":
        from bookkit.environment import make_environment

        make_environment()
    elif options.command == "site":
        from bookkit.build import build

        build(options.output)
    elif options.command == "serve":
        from bookkit.serve import serve

        serve(options.port)
    elif options.command == "run":
        from bookkit.run import run

        for slug in options.slugs:
            run(slug)
    elif options.command == "sync":
        from bookkit.editions import chapters
        from bookkit.sync import stamp, sync

        for slug in options.slugs or chapters():
            sync(slug)
            if options.stamp:
                stamp(slug, options.unchanged)
            print(f"{slug}: both editions are in step")
    elif options.command == "course":
        from bookkit.course import write_course

        write_course(options.slugs, options.output, options.timed)
    elif options.command == "colab":
        from bookkit.colab import main as run_colab

        return run_colab([*others, *options.rest])
    elif options.command == "measure":
        from bookkit.measure import measure

        return measure(options.slugs)
    else:
        from bookkit import testing

        if options.command == "check":
            return testing.check(others)
        if options.command == "prove":
            return testing.prove(options.slugs)
        return testing.test(options.all)
    return 0


if __name__ == "__main__":
    sys.exit(main())
