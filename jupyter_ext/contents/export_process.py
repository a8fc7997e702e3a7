"""The process that converts one notebook: it runs nbconvert where it can be killed.

Started as a script, with a job on standard input:
`{"format", "notebook", "resources", "config", "sanitize_html"}`, as JSON. On standard output it
says, in one line of JSON, `{"extension", "mimetype", "zip"}` and then the bytes of the result, or
`{"error"}` and a traceback. It imports nothing of the lab.

A notebook is somebody else's text: markdown can take nbconvert for ever, and grow without end.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import traceback
import zipfile
from typing import Any

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 120
"""Ends the process when the lab, which ends it earlier, is no more."""
_NICE = 10


def without_exporter_name(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook without the name of an exporter in its metadata.

    The format `script` imports whatever is named there, and exports with it: any module of the
    lab, or PDF.
    """
    metadata = notebook.get("metadata")
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(language, dict):
        return notebook
    kept = {key: value for key, value in language.items() if key != "nbconvert_exporter"}
    return {**notebook, "metadata": {**metadata, "language_info": kept}}


def convert(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What to say about the result, and the result: as the handler of jupyter_server has it."""
    # Here, so that the lab does not import nbconvert.
    import nbformat
    from nbconvert.exporters.base import get_exporter
    from traitlets.config import Config

    config = Config(job["config"])
    # Inkscape reads the files that an SVG names.
    config.SVG2PDFPreprocessor.enabled = False
    exporter = get_exporter(job["format"], config)(config=config)
    if job["sanitize_html"] is not None:
        exporter.sanitize_html = job["sanitize_html"]
    notebook = nbformat.from_dict(without_exporter_name(job["notebook"]))
    output, resources = exporter.from_notebook_node(notebook, resources=job["resources"])
    extension = resources["output_extension"]
    about = {"extension": extension, "mimetype": exporter.output_mimetype, "zip": False}
    files = resources.get("outputs", None)
    if not files:
        return about, output.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, mode="w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(job["resources"]["metadata"]["name"] + extension, output.encode())
        for name, data in files.items():
            archive.writestr(os.path.basename(name), data)
    return {**about, "zip": True}, buffer.getvalue()


def main() -> None:
    """Convert the notebook on standard input."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What a library prints must not get into the answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        about, body = convert(json.load(sys.stdin.buffer))
    except MemoryError:
        # The lab says what it means that there is no answer.
        sys.exit(1)
    except Exception as error:
        about, body = {"error": str(error)}, traceback.format_exc().encode(errors="replace")
    answers.write(json.dumps(about).encode() + b"\n" + body)
    answers.close()


if __name__ == "__main__":
    main()
