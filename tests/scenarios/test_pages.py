"""What the pages for readers point at exists: links, paths, modules, rooms, columns."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

import conf
from codec.stream.base import FORMAT_VERSION
from scenarios.commands.figures import ORDER
from scenarios.sweep.columns import COLUMNS

ROOT = Path(conf.__file__).parent.parent
PACKAGES = ("codec", "profiles", "sim", "scenarios", "plots")
ROOMS = (*PACKAGES, "conf", "tests", "docs")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SOURCES = {
    room: sorted(p for p in (ROOT / room).rglob("*") if p.suffix in (".py", ".yaml"))
    for room in (*PACKAGES, "conf", "tests")
}
WIDTH = 100
PATH = re.compile(rf"(?<![\w/.-])((?:{'|'.join(ROOMS)})/[\w./+-]*\.(?:py|md|yaml|csv|npz|png))\b")
FOLDER = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:/[a-z_0-9]+)*/?)`")
MODULE = re.compile(rf"\b((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_][A-Za-z_0-9]*)+)(?![\w=])")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INVENTED = (
    "NAME", "limited", "largest", "halves", "corridor", "freezer", "lifo",
    "codec.step", "codec.py", "sim.py",
)  # fmt: skip
"""Parts of names that a recipe has the reader add, a field, and files of a user's own."""


def name(path):
    return str(path.relative_to(ROOT))


def words(page):
    return page.read_text(encoding="utf-8")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", words(page), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def invented(text):
    return any(part in text for part in INVENTED)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_is_wider_than_an_editor(page):
    wide = [n for n, line in enumerate(words(page).split("\n"), 1) if len(line) > WIDTH]
    assert not wide, f"{name(page)}: lines {wide} are wider than {WIDTH}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_within_the_repository_leads_somewhere(page):
    for target in LINK.findall(re.sub(r"```.*?```", "", words(page), flags=re.S)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        place = page.parent / file if file else page
        assert place.exists(), f"{name(page)}: {target}"
        assert not anchor or anchor in anchors(place), f"{name(page)}: {target}"


@pytest.mark.parametrize("pages", [PAGES, *SOURCES.values()], ids=["pages", *SOURCES])
def test_every_path_that_is_named_exists(pages):
    for page in pages:
        for path in {*PATH.findall(words(page)), *FOLDER.findall(words(page))}:
            assert invented(path) or (ROOT / path).exists(), f"{name(page)}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_module_that_is_named_exists(page):
    for dotted in set(MODULE.findall(words(page))):
        if not invented(dotted) and not dotted.endswith((".md", ".yaml")):
            assert resolved(dotted), f"{name(page)}: {dotted}"


@pytest.mark.parametrize("room", SOURCES)
def test_every_module_that_a_docstring_names_exists(room):
    for path in SOURCES[room]:
        quoted = " ".join(re.findall(r"`([^`\n]+)`", words(path))) if path.suffix == ".py" else ""
        for dotted in MODULE.findall(quoted):
            assert invented(dotted) or resolved(dotted), f"{name(path)}: {dotted}"


def resolved(dotted):
    """Whether a dotted name is a module, or something that a module of ours holds."""
    first, *rest = dotted.split(".")
    held = importlib.import_module(first)
    for number, part in enumerate(rest):
        if not hasattr(held, part):
            try:
                importlib.import_module(".".join([first, *rest[: number + 1]]))
            except ImportError:
                return False
        held = getattr(held, part)
    return True


def test_a_module_that_does_not_exist_is_seen():
    assert resolved("sim.specs.LinkSpec")
    assert not resolved("sim.spec.link")


@pytest.mark.parametrize("room", SOURCES)
def test_who_is_sent_to_a_name_finds_it_in_the_same_file(room):
    for path in SOURCES[room]:
        for former in re.findall(r"\bsee (_[a-z_]+)\b", words(path)):
            assert re.search(rf"(def |class |^){former}\b", words(path), re.M), (
                f"{name(path)}: {former}"
            )


def test_the_architecture_names_every_room():
    page = words(ROOT / "docs" / "architecture.md")
    rooms = {p.parent for package in PACKAGES for p in (ROOT / package).rglob("__init__.py")}
    missing = [name(room) for room in rooms if f"| `{name(room)}` |" not in page]
    assert not missing


def test_the_results_page_says_what_every_column_means():
    page = words(ROOT / "docs" / "results.md")
    assert not [column for column in COLUMNS if f"`{column}`" not in page]


def test_every_figure_of_the_page_is_a_command_with_a_drawing():
    for figure in ORDER:
        assert (ROOT / "scenarios" / "figures" / f"{figure}.py").exists()
        assert (ROOT / "plots" / f"{figure}.py").exists()


def test_the_glossary_is_in_alphabetical_order_and_says_each_word_once():
    terms = re.findall(r"^\*\*(.+?)\*\*", words(ROOT / "docs" / "glossary.md"), re.M)
    keys = [re.sub(r"[^a-z0-9]", "", term.lower()) for term in terms]
    assert len(terms) > 50
    assert keys == sorted(set(keys))


def test_the_statement_of_what_is_public_knows_the_stream_version():
    assert f"version {FORMAT_VERSION}" in words(ROOT / "docs" / "public.md")


def test_the_citation_file_is_complete():
    cited = yaml.safe_load(words(ROOT / "CITATION.cff"))
    assert cited["cff-version"] == "1.2.0"
    for key in ("message", "title", "authors", "version", "license"):
        assert cited[key]
    assert f'version = "{cited["version"]}"' in words(ROOT / "pyproject.toml")
