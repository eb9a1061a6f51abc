"""`oncegate contracts docs`: the site in a folder, and the committed one of the shipped catalogue."""

from pathlib import Path

import pytest

from contracts.edge.authoring import site
from contracts.edge.output import execute
from gateway.cli import app
from tests.catalogue_pages import FOLDER

DOG = "cn.dog-licence"


def test_the_committed_site_is_the_one_of_the_catalogue() -> None:
    committed = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    made = site.site_files(site.shipped())
    old = [path for path, data in made.items() if path in committed and (FOLDER / path).read_bytes() != data]
    assert (sorted(committed ^ set(made)), old) == ([], []), "run: python -m tests.catalogue_pages"
    assert sum(map(len, made.values())) < 1_600_000  # it is in the repository


@pytest.fixture
def home(tmp_path: Path) -> Path:
    registry = tmp_path / "registry"
    assert execute(app, ["contracts", "new", DOG, "--dir", str(registry)]) == 0
    return registry


def docs(home: Path, out: Path) -> int:
    return execute(app, ["contracts", "docs", str(out), "--dir", str(home)])


def test_a_directory_of_ones_own(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert docs(home, out) == 0
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    page = f"evidence-types/{DOG}.1.html"
    assert files == sorted(
        (
            "index.html",
            "site.css",
            "site.js",
            *(f"{one}/{name}" for one in ("zh-CN", "en") for name in ("index.html", page)),
        )
    )
    assert "(证照名称)" in (out / "zh-CN" / page).read_text("utf-8")


def test_former_pages_go_and_other_files_stay(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert docs(home, out) == 0
    mine = out / "en" / "evidence-types" / "mine.html"
    mine.write_text("<!doctype html><title>mine</title>", "utf-8")
    for path in (home / "evidence-types").iterdir():
        text = path.read_text("utf-8").replace(DOG, "cn.cat-licence")
        path.unlink()
        path.with_name(path.name.replace("dog", "cat")).write_text(text, "utf-8")
    assert docs(home, out) == 0
    assert sorted(path.name for path in mine.parent.iterdir()) == ["cn.cat-licence.1.html", "mine.html"]


def test_a_type_without_examples_has_a_page(home: Path, tmp_path: Path) -> None:
    (home / "evidence-types" / f"{DOG}.examples.json").unlink()
    assert docs(home, tmp_path / "out") == 0
    assert 'id="examples"' not in (tmp_path / "out" / "en" / "evidence-types" / f"{DOG}.1.html").read_text("utf-8")


def test_mistakes_of_authors_are_told(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    types = home / "evidence-types"
    for suffix in (".toml", ".schema.json", ".examples.json"):
        (types / f"copy{suffix}").write_bytes((types / (DOG + suffix)).read_bytes())
    capsys.readouterr()
    assert docs(home, tmp_path / "out") == 2
    assert f"{DOG}.1.html" in capsys.readouterr().err
    assert docs(tmp_path / "empty", tmp_path / "out") == 2
    assert "evidence-types/" in capsys.readouterr().err
    (types / "copy.toml").write_text("version = 0", "utf-8")
    assert docs(home, tmp_path / "out") == 2
    assert "copy.toml" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
