"""Build the lessons from their sources.

    python tools/build.py                    build every lesson
    python tools/build.py 03_mse_cnn         build one
    python tools/build.py --check            is every notebook up to date?
    python tools/build.py --instructor DIR   copies for nbgrader, from which it takes the solutions
    python tools/build.py --publish-as OWNER/REPO

A build runs the notebook in the quick profile on the embedded data, so that its outputs do not
depend on the machine or its data.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from builder import execution, inspection, publishing
from builder.source import ROOT, built_path, notebook, repository, sources

from llie_helpers.errors import CourseError, unknown_name
from llie_helpers.files import atomic_path


def build(source: Path) -> None:
    """Build one lesson's notebook; it is written only if it runs without problems."""
    built = notebook(source, repository())
    with execution.quick_environment() as environment:
        execution.execute(built, built_path(source).parent, environment)
    if wrong := inspection.problems(built):
        raise CourseError(f"{source.stem} was not written: " + "; ".join(wrong))
    with atomic_path(built_path(source)) as temporary:
        nbformat.write(built, temporary)


def write_instructor_copy(source: Path, folder: Path, answers: bool = False) -> None:
    """Write nbgrader's source version: unexecuted, with solutions in the cells that it clears.

    The folded hints and solutions, which it would leave in, are there only with ``answers``.
    """
    copy = notebook(source, repository(), solutions=True, answers=answers)
    with atomic_path(folder / f"{source.stem}.ipynb") as temporary:
        nbformat.write(copy, temporary)


def check(source: Path) -> list[str]:
    """Return the problems of one lesson's notebook, without running it."""
    path = built_path(source)
    if not path.exists():
        return ["it was never built"]
    committed = nbformat.read(path, as_version=4)
    drifted = inspection.drift(committed, notebook(source, repository()))
    return [drifted] * bool(drifted) + inspection.problems(committed)


def check_all(lessons: dict[str, Path], root: Path = ROOT) -> int:
    """Report on every lesson; return the exit code."""
    report = {name: check(source) for name, source in lessons.items()}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if path.stem not in sources(root):
            report[path.stem] = ["it has no source in notebooks/source/"]
    for name, wrong in report.items():
        print("\n  - ".join([f"{name}: {'needs a rebuild' if wrong else 'up to date'}", *wrong]))
    return 1 if any(report.values()) else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="lessons, else all of them")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="report drift; build nothing")
    action.add_argument("--instructor", metavar="DIR", type=Path, help="write copies for nbgrader")
    action.add_argument("--publish-as", metavar="OWNER/REPO", help="move to another address")
    parser.add_argument(
        "--answers", action="store_true", help="keep the folded hints and solutions in them"
    )
    options = parser.parse_args(arguments)
    if options.answers and not options.instructor:
        parser.error("--answers is for --instructor DIR")
    if options.publish_as and options.names:
        parser.error("--publish-as moves all lessons; give no names")
    if options.publish_as:
        print("\n".join(publishing.publish_as(options.publish_as)))
        return 0
    known = sources()
    for name in options.names:
        if name not in known:
            raise unknown_name("lesson", name, known)
    lessons = {name: known[name] for name in options.names or known}
    if options.check:
        return check_all(lessons)
    for name, source in lessons.items():
        start = time.perf_counter()
        if options.instructor:
            write_instructor_copy(source, options.instructor, options.answers)
        else:
            build(source)
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CourseError as error:
        sys.exit(f"error: {error}")
