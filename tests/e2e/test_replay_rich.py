"""All that a cell can show, in a page that is reloaded while it does, and in the file."""

from __future__ import annotations

import re

import nbformat
from playwright.sync_api import expect

from tests.e2e.kernel_notebook import (
    PATIENCE,
    KernelNotebook,
    answer,
    prompts,
    run_all,
    save,
)
from tests.e2e.lab_page import LabPage, wait_for

SHOW = "from IPython.display import HTML, clear_output, display, update_display\n"
PLOT = """%matplotlib inline
import matplotlib.pyplot as plt, pandas as pd
plt.plot([1, 2, 3]); plt.show()
pd.DataFrame({'a': [1, 2]})"""


def reload(page: LabPage) -> None:
    page.page.reload()
    page.ready()


def test_every_kind_of_output_comes_through_reloads_as_the_kernel_said_it(
    notebook: KernelNotebook,
) -> None:
    notebook.save(
        {
            "steps": SHOW
            + "for i in range(200): clear_output(wait=True); print('step', i)\n"
            + notebook.wait("steps")
            + "for i in range(200, 300): clear_output(wait=True); print('step', i)",
            "shown": "shown = display(HTML('<b>first</b>'), display_id='d')",
            "update": "for i in range(50): update_display(HTML(f'<b>v{i}</b>'), display_id='d')\n"
            + notebook.wait("update")
            + "update_display(HTML('<b>last</b>'), display_id='d')",
            "bar": "from tqdm import tqdm\nfor i in tqdm(range(200), ncols=60): time.sleep(.001)",
            "asks": "print('hello', input('who? '))",
            "trace": "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError:\n"
            "    traceback.print_exc(file=__import__('sys').stdout)",
            "rich": PLOT,
            "many": "for i in range(3000): display(i)",
            "slider": "import ipywidgets\nslider = ipywidgets.IntSlider(value=7)\ndisplay(slider)",
            "error": "raise ValueError('<b>bad</b>')",
        }
    )
    page = notebook.open()
    save(page)
    run_all(page)
    expect(page.cell(0)).to_contain_text("step 199")
    reload(page)
    expect(page.cell(0)).to_contain_text("step 199")
    assert page.output(0).strip() == "step 199"
    assert set(prompts(page, 10)) == {"[*]:"}
    notebook.go("steps")
    expect(page.cell(1)).to_contain_text("v49")
    reload(page)
    expect(page.cell(1)).to_contain_text("v49")
    notebook.go("update")
    expect(page.page.locator(".jp-Stdin-prompt")).to_contain_text("who?")
    reload(page)
    answer(page, "who?", "ann")
    replies = [f"[{count}]:" for count in range(1, 11)]
    wait_for("all replies", lambda: prompts(page, 10) == replies, PATIENCE)

    assert page.output(0).strip() == "step 299"
    assert page.output(1).strip() == "last"
    assert re.fullmatch(r"100%\|█+\| 200/200 .*", page.output(3).strip())
    assert page.output(4).strip().endswith("hello ann")
    expect(page.cell(6).locator("img")).to_have_count(1)
    expect(page.cell(6).locator("td")).to_have_text(["1", "2"])
    expect(page.cell(7)).to_contain_text("2999")
    assert "ValueError: <b>bad</b>" in page.output(9)
    # A widget runs scripts: this tab has run the cell itself, and shows it.
    handle = page.cell(8).locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    assert page.evaluate(10, "slider.value") == "8"

    save(page)
    content = notebook.files.get(notebook.path)["content"]
    nbformat.validate(nbformat.from_dict(content))
    cells = content["cells"]
    said = {
        0: [("stream", "step 299\n")],
        1: [("display_data", "<b>last</b>")],
        2: [],
        5: [("stream", None)],
        9: [("error", None)],
    }
    for index, expected in said.items():
        outputs = cells[index]["outputs"]
        assert [output["output_type"] for output in outputs] == [kind for kind, _ in expected]
        for output, (_, words) in zip(outputs, expected, strict=True):
            data = output.get("text") or output.get("data", {}).get("text/html")
            assert words is None or "".join(data) == words
    assert cells[9]["outputs"][0]["evalue"] == "<b>bad</b>"
    # The page keeps the first 500 and the last 10 of very many, and says so between them.
    many = [output["data"]["text/plain"] for output in cells[7]["outputs"]]
    assert many[:500] == [str(i) for i in range(500)]
    assert many[-10:] == [str(i) for i in range(2990, 3000)]
    assert len(many) == 511
    again = notebook.open()
    expect(again.cell(0)).to_contain_text("step 299")
    # Cells further down are drawn later.
    wait_for("all prompts", lambda: prompts(again, 10) == replies, PATIENCE)
    assert not again.dirty
