"""A registry with one image, which takes its time for each pull."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clusters.kubernetes.image import configuration_of, digest_of, python_layer

_NAME, _TAG = "fleet/slow", "latest"
_OCI = "application/vnd.oci.image"
_PATH = re.compile(rf"/v2/{_NAME}/(?:manifests|blobs)/(.+)")


class SlowRegistry:
    """Serves the image of kernels. Whoever asks what its tag is waits `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.pulls = 0
        layer = python_layer()
        configuration = configuration_of(layer, [])
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{_OCI}.manifest.v1+json",
                "config": _described(f"{_OCI}.config.v1+json", configuration),
                "layers": [_described(f"{_OCI}.layer.v1.tar", layer)],
            }
        ).encode()
        # By digest or tag.
        self._contents = {digest_of(one): one for one in (layer, configuration, manifest)}
        self._contents[_TAG] = manifest
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                return

            def do_GET(self) -> None:
                registry._answer(self)

            do_HEAD = do_GET

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        # A kubelet asks for the tag `latest` at each start. containerd speaks plain HTTP to a
        # registry of its own machine.
        self.image = f"127.0.0.1:{self._http.server_address[1]}/{_NAME}:{_TAG}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        found = _PATH.fullmatch(request.path)
        content = self._contents.get(found[1]) if found else None
        if content is None:
            request.send_error(404)
            return
        if found is not None and found[1] == _TAG:
            self.pulls += 1
            time.sleep(self.seconds)
        is_blob = "/blobs/" in request.path
        kind = "application/octet-stream" if is_blob else f"{_OCI}.manifest.v1+json"
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Docker-Content-Digest", digest_of(content))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(content)

    def close(self) -> None:
        """Ends the server."""
        self._http.shutdown()
        self._http.server_close()


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


@contextmanager
def slow_registry(seconds: float) -> Iterator[SlowRegistry]:
    """A registry on this machine."""
    registry = SlowRegistry(seconds)
    try:
        yield registry
    finally:
        registry.close()
