"""The files of api-ref/: made in memory, then written, or compared with what is there."""

from __future__ import annotations

from pathlib import Path

from nova_lite import policies
from nova_lite.api import app
from nova_lite.reference import overview_pages, resource_page, vmm_page
from nova_lite.reference.facts import Reference


def reference() -> Reference:
    """The reference of this tree's controllers. :raises DeclarationError: they do not fit together."""
    rules = policies.list_rules()
    return Reference.of(app.build_table(None, frozenset(rule.name for rule in rules)), rules)


def pages(source: Reference) -> dict[str, str]:
    """File name → text; the same input always gives the same bytes."""
    made = {
        "README.md": overview_pages.index(source),
        "policies.md": overview_pages.policies(source),
        "versions.md": overview_pages.history(source),
    }
    made |= vmm_page.pages()
    return made | {resource_page.file_name(name): resource_page.write(source, name) for name in source.resources}


def stale(made: dict[str, str], folder: Path) -> list[str]:
    """What to say of each file that is not as it should be; [] when all is current."""
    found = []
    for name, text in sorted(made.items()):
        path = folder / name
        if not path.exists():
            found.append(f"{path} is missing")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{path} is stale")
    found += [f"{path} belongs to no resource any more" for path in _left_over(made, folder)]
    return found


def write(made: dict[str, str], folder: Path) -> list[Path]:
    """Write what differs, remove pages of resources that are gone; the paths that were touched."""
    folder.mkdir(parents=True, exist_ok=True)
    touched = []
    for name, text in sorted(made.items()):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            touched.append(path)
    for path in _left_over(made, folder):
        path.unlink()
        touched.append(path)
    return touched


def _left_over(made: dict[str, str], folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.md") if path.name not in made)
