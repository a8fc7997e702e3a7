"""What a notebook may say about its export."""

from typing import Any

import pytest

from jupyter_ext.contents.export_process import without_exporter_name


def test_the_name_of_an_exporter_is_dropped() -> None:
    language = {"name": "python", "nbconvert_exporter": "unittest.__main__.x"}
    notebook = {"metadata": {"language_info": language, "title": "t"}, "cells": []}
    assert without_exporter_name(notebook) == {
        "metadata": {"language_info": {"name": "python"}, "title": "t"},
        "cells": [],
    }
    assert language["nbconvert_exporter"]


@pytest.mark.parametrize("metadata", [{}, None, [], {"language_info": ["nbconvert_exporter"]}])
def test_odd_metadata_is_left_alone(metadata: Any) -> None:
    assert without_exporter_name({"metadata": metadata}) == {"metadata": metadata}
