"""api-ref/ is what the operation table says today; `make api-ref` writes it."""

from __future__ import annotations

from pathlib import Path

from nova_lite.reference import build

ROOT = Path(__file__).parents[2]


def test_the_reference_is_current() -> None:
    assert build.stale(build.pages(build.reference()), ROOT / "api-ref") == [], "run `make api-ref`"
