"""The project that a start at a lab names beside its path."""

import inspect
from types import SimpleNamespace

import pytest
from tornado import web

from jupyter_ext.kernels.handlers import FleetKernelsHandler
from jupyter_ext.kernels.manager import check_named_project

PATH = "demo/a.ipynb"


@pytest.mark.parametrize(
    ("named", "path", "projects"),
    [
        (None, PATH, ("demo", "other")),
        (None, "", ("demo", "other")),
        ("demo", PATH, ("demo", "other")),
        ("demo", "", ("demo",)),
    ],
)
def test_a_start_may_name_where_its_kernel_would_be(
    named: str | None, path: str, projects: tuple[str, ...]
) -> None:
    check_named_project(named, path, projects)


@pytest.mark.parametrize(
    ("named", "path", "projects"),
    [
        ("@demo", PATH, ("demo",)),
        ("@demo", "", ("demo",)),
        ("other", PATH, ("demo", "other")),
        ("no such project", "", ("demo",)),
        ("", PATH, ("demo",)),
        ("", "", ("demo", "other")),
        ("demo", "", ("demo", "other")),
        ("demo", "", ()),
        (["demo"], PATH, ("demo",)),
        (0, PATH, ("demo",)),
    ],
)
def test_no_kernel_is_started_in_another_place_than_was_asked_for(
    named: object, path: str, projects: tuple[str, ...]
) -> None:
    with pytest.raises(web.HTTPError) as refused:
        check_named_project(named, path, projects)
    assert refused.value.status_code == 400
    assert '"path": "<project>/…"' in str(refused.value.log_message)


async def test_it_is_refused_before_anything_is_started() -> None:
    started = list[object]()
    body = {"name": "python", "path": PATH, "project": "@demo"}
    handler = SimpleNamespace(
        get_json_body=lambda: body,
        kernel_manager=None,
        session_manager=SimpleNamespace(start_kernel=lambda **wanted: started.append(wanted)),
    )
    with pytest.raises(web.HTTPError) as refused:
        await inspect.unwrap(FleetKernelsHandler.post)(handler)
    assert refused.value.status_code == 400
    assert started == []
