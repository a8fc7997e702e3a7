"""The process that converts one notebook: it runs nbconvert where it can be killed.

It is started as a script with its limit of CPU seconds as the argument, and reads a job from
standard input as JSON: `{"format", "notebook", "resources", "config", "sanitize_html"}`. It writes
one line of JSON to standard output, `{"extension", "mimetype", "zip"}` followed by the bytes of the
result, or `{"error"}` followed by a traceback. It imports nothing of the lab.

A notebook is untrusted input: its markdown can keep nbconvert busy for hours or exhaust memory.
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
_NICE = 10


def without_exporter_name(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook without `nbconvert_exporter` in the metadata of its language.

    nbconvert's `script` format imports whatever is named there and exports with it: any installed
    module, or PDF.
    """
    metadata = notebook.get("metadata")
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(language, dict):
        return notebook
    kept = {key: value for key, value in language.items() if key != "nbconvert_exporter"}
    return {**notebook, "metadata": {**metadata, "language_info": kept}}


def convert(job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The line about the result, and the result, as jupyter_server's handler would answer it."""
    # Imported here so that the lab, which imports this module, does not load nbconvert.
    import nbformat
    from nbconvert.exporters.base import get_exporter
    from traitlets.config import Config

    config = Config(job["config"])
    # Inkscape reads the files that an SVG refers to.
    config.SVG2PDFPreprocessor.enabled = False
    exporter = get_exporter(job["format"], config)(config=config)
    if job["sanitize_html"] is not None:
        exporter.sanitize_html = job["sanitize_html"]
    notebook = job["notebook"]
    if job["format"] == "script":
        notebook = without_exporter_name(notebook)
    notebook = nbformat.from_dict(notebook)
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
    cpu_seconds = int(sys.argv[1])
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Keep what libraries print out of the answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        about, body = convert(json.load(sys.stdin.buffer))
    except MemoryError:
        # The lab takes a missing answer for a lack of memory, as when the kernel kills the process.
        sys.exit(1)
    except Exception as error:
        about, body = {"error": str(error)}, traceback.format_exc().encode(errors="replace")
    answers.write(json.dumps(about).encode() + b"\n" + body)
    answers.close()


if __name__ == "__main__":
    main()
