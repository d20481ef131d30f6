"""The index as resolvers see it: listing, outlines, manifests, open documents, and an index that is gone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from midfill_workspace.stored import StoredProject
from midfill_workspace.symbol import Definition, Outline
from midfill_workspace.visible import visible
from support.index import Indexed, indexed

OTHER = Outline("app/model.py", "python", definitions=(Definition("Basket", "class", 0, "class Basket:"),))


@pytest.fixture
def it(tmp_path: Path) -> Indexed:
    it = indexed(tmp_path)
    it.sweep()
    return it


def test_files_and_folders(it: Indexed) -> None:
    project = it.project()
    assert (project.has("app/main.py"), project.has("app"), project.has("app/none.py")) == (True, False, False)
    assert list(project.files_in("app")) == ["app/__init__.py", "app/main.py", "app/model.py"]
    assert list(project.files_in("")) == ["go.mod"]
    assert list(project.files_in("none")) == []
    assert len(project) == 5


def test_outlines_and_manifests(it: Indexed) -> None:
    project = it.project()
    found = project.outline("app/model.py")
    assert found
    assert [each.name for each in found.definitions] == ["Order", "total"]
    assert (found.path, found.definitions[0].doc) == ("app/model.py", "What somebody buys.")
    assert project.outline("app/model.py") is found
    assert (project.outline("go.mod"), project.outline("none.py")) == (None, None)
    assert project.config("go.mod") == "module example.com/shop\n"
    assert (project.config("app/go.mod"), project.config("app/main.py")) == ("", "")


def test_imports_are_resolved_over_it(it: Indexed) -> None:
    project = it.project()
    main = project.outline("app/main.py")
    assert main
    assert [(each.path, each.name) for each in visible(main, project)] == [("app/model.py", "Order")]


def test_a_name_leads_to_the_files_that_declare_it(it: Indexed) -> None:
    project = it.project()
    assert project.declaring("total") == ["app/model.py"]
    assert project.declaring("nothing") == []


def test_changes_follow(it: Indexed) -> None:
    project = it.project()
    number = project._listing.outlines["app/model.py"]
    project.apply([("app/model.py", None), ("new/model.py", number), ("app/a.py", number)])
    assert list(project.files_in("app")) == ["app/__init__.py", "app/a.py", "app/main.py"]
    assert project.outline("new/model.py") == Outline("new/model.py", *_rest(project, "app/a.py"))
    project.apply([("app/a.py", None), ("app/a.py", None), ("new/model.py", None)])
    assert not project.files_in("new")


def _rest(project: StoredProject, path: str) -> tuple[object, ...]:
    found = project.outline(path)
    assert found
    return found.language, found.imports, found.definitions, found.package


def test_an_open_document_wins_over_its_file(it: Indexed) -> None:
    project = it.project()
    saved = project.outline("app/model.py")
    project.show("app/model.py", OTHER)
    project.show("app/unsaved.py", Outline("app/unsaved.py", "python"))
    assert project.outline("app/model.py") is OTHER
    assert (project.has("app/unsaved.py"), "app/unsaved.py" in project.files_in("app")) == (True, True)
    project.hide("app/model.py")
    project.hide("app/unsaved.py")
    assert project.outline("app/model.py") == saved
    assert not project.has("app/unsaved.py")


def test_without_an_index_there_is_nothing(it: Indexed) -> None:
    for project in (StoredProject(), it.project()):
        project.close()
        assert (project.outline("app/main.py"), project.config("go.mod")) == (None, "")
        assert not project.declaring("run")
        assert (project.has("app/main.py"), list(project.files_in("app"))) == (False, [])


def zeros(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.write(b"\0" * size)


def unreadable(file: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE outlines SET data = 'no json'")
        connection.commit()


@pytest.mark.parametrize("damage", [zeros, unreadable])
def test_damage_is_noted_and_never_raised(
    it: Indexed, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    project = it.project()
    damage(it.file)
    assert project.outline("app/main.py") is None
    assert project.outline("app/model.py") is None
    assert project.broken
    assert [record.message for record in caplog.records] == ["index.broken"]
