"""Manifests from the Jinja templates that lie in kernelspecs.

Templates, their variables and the filter `yaml_safe` are those of Enterprise Gateway's launchers:
a variable for each KERNEL_… of the environment, in lower case.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, Template, TemplateError

from gateway_ext.process_proxies.agent_process import KernelspecUnusable, LaunchFailed

# Both are safe. The one in Python takes 15 ms of the event loop for each start, the other one less
# than one.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LISTS = ("KERNEL_VOLUMES", "KERNEL_VOLUME_MOUNTS")


def _one_value(value: Any) -> str:
    """YAML for a value on one line; any content stays a single value."""
    text = yaml.safe_dump(value, default_style='"', default_flow_style=True, width=math.inf)
    return text.strip()


# Nothing here is HTML.
_jinja = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
_jinja.filters["yaml_safe"] = _one_value


def template_variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """The variables for an environment; raises LaunchFailed if one that must be a list is none."""
    variables: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith("KERNEL_") or name != name.upper():
            continue
        variables[name.lower()] = value
        if name in _LISTS:
            variables[name.lower()] = _list_of_mappings(name, value)
    return variables


def _list_of_mappings(name: str, text: str) -> list[dict[str, Any]]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise LaunchFailed(f"{name} must be a list of mappings, in YAML or JSON")
    return value


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    # Compiling takes ten times as long as rendering.
    return _jinja.from_string(text)


def render(template: Path, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of a template, in its order; raises LaunchFailed, with the template's name."""
    try:
        text = _compiled(template.read_text(encoding="utf-8")).render(variables)
        documents = [document for document in yaml.load_all(text, _Loader) if document]
    except (TemplateError, yaml.YAMLError, TypeError, ValueError, OSError) as error:
        # Users read it, and a template's path is one of the gateway's host.
        reason = error.strerror if isinstance(error, OSError) else error
        raise LaunchFailed(
            f"the template {template.name} makes no valid manifest: {reason}"
        ) from error
    if not all(isinstance(one, dict) and isinstance(one.get("kind"), str) for one in documents):
        raise LaunchFailed(f"the template {template.name} makes an object without a `kind`")
    return documents


def find_template(kernelspec: Mapping[str, Any], config: Mapping[str, Any], name: str) -> Path:
    """The template of a kernelspec: the one that `config.template` names, or `name`, beside
    kernel.json or in `scripts` as in Enterprise Gateway's. Raises KernelspecUnusable."""
    folder = Path(str(kernelspec.get("resource_dir") or ""))
    named = config.get("template")
    names = [str(named)] if named else [name, f"scripts/{name}"]
    for one in names:
        if (folder / one).is_file():
            return folder / one
    raise KernelspecUnusable(
        f"the kernelspec has no template: beside its kernel.json there is no "
        f"{' and no '.join(names)}. Copy one from the kernelspecs that come with Jupyter Fleet, in "
        "`clusters`"
    )
