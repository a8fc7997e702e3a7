"""How often a server has collected garbage, from its metrics."""

import re

import requests


def garbage_collections(metrics_url: str) -> list[int]:
    """For each generation, youngest first."""
    text = requests.get(metrics_url, timeout=20).text
    counted = re.findall(r'^python_gc_collections_total\{generation="\d"\} (\S+)$', text, re.M)
    return [int(float(one)) for one in counted]
