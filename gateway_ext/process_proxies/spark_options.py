"""Launch options of Spark's drivers and executors: in a SparkApplication, and for spark-submit."""

import copy
from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.option_labels import KUEUE_QUEUE, OptionLabels
from gateway_ext.process_proxies.pod_options import add_tolerations, set_queue

SPARK_APPLICATION_OPTIONS = frozenset(
    {"image", "queue", "priority_class", "scheduler", "tolerations", "node_pool"}
    | {"environment", "spark"}
)
SPARK_SUBMIT_OPTIONS = frozenset({"queue", "node_pool", "environment", "spark"})

_FIELDS = {
    "spark.driver.cores": ("driver", "cores"),
    "spark.driver.memory": ("driver", "memory"),
    "spark.driver.memoryOverhead": ("driver", "memoryOverhead"),
    "spark.executor.cores": ("executor", "cores"),
    "spark.executor.instances": ("executor", "instances"),
    "spark.executor.memory": ("executor", "memory"),
    "spark.executor.memoryOverhead": ("executor", "memoryOverhead"),
}
"""Settings that the operator takes from fields of the SparkApplication, whatever sparkConf says."""


def setting_text(value: Any) -> str:
    """The value of a setting, as Spark reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_spark_application_options(
    template: Mapping[str, Any], options: Mapping[str, Any], labels: OptionLabels
) -> dict[str, Any]:
    """The SparkApplication of a template with what was chosen in place of what the template says.
    Raises LaunchFailed."""
    application = copy.deepcopy(dict(template))
    if not options:
        return application
    spec = application.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("driver"), dict):
        raise LaunchFailed("the template's SparkApplication has no driver")
    parts = [spec[name] for name in ("driver", "executor") if isinstance(spec.get(name), dict)]
    if "image" in options:
        spec["image"] = options["image"]
        spec["driver"].pop("image", None)
    if "queue" in options:
        queue = str(options["queue"])
        set_queue(application, queue, labels)
        # Kueue admits an application as a whole; other schedulers look at each pod.
        if labels.queue_label != KUEUE_QUEUE:
            for part in parts:
                _set_queue_of_part(part, queue, labels)
    for part in parts:
        if "priority_class" in options:
            part["priorityClassName"] = options["priority_class"]
        add_tolerations(part, options)
    settings = dict(options.get("spark") or {})
    # Spark does these itself: the operator would need its webhook.
    if "scheduler" in options:
        settings["spark.kubernetes.scheduler.name"] = options["scheduler"]
    if "node_pool" in options:
        selector = f"spark.kubernetes.node.selector.{labels.node_pool_label}"
        settings[selector] = options["node_pool"]
    _set_spark(spec, settings)
    return application


def _set_queue_of_part(part: dict[str, Any], queue: str, labels: OptionLabels) -> None:
    for kind, key in (("labels", labels.queue_label), ("annotations", labels.queue_annotation)):
        if key:
            part[kind] = {**(part.get(kind) or {}), key: queue}


def _set_spark(spec: dict[str, Any], settings: Mapping[str, Any]) -> None:
    configuration = dict(spec.get("sparkConf") or {})
    for name, value in settings.items():
        if name in _FIELDS:
            part, field = _FIELDS[name]
            spec.setdefault(part, {})[field] = value
            configuration.pop(name, None)
        else:
            configuration[name] = setting_text(value)
    if configuration or "sparkConf" in spec:
        spec["sparkConf"] = configuration


def spark_submit_options(options: Mapping[str, Any]) -> list[str]:
    """The options of spark-submit for what was chosen. They come behind the kernelspec's, so that
    they count."""
    chosen: list[str] = []
    if "queue" in options:
        chosen += ["--queue", str(options["queue"])]
    settings = dict(options.get("spark") or {})
    if "node_pool" in options:
        for part in ("am", "executor"):
            # A node pool of YARN is what it calls a node label, or partition.
            settings[f"spark.yarn.{part}.nodeLabelExpression"] = options["node_pool"]
    for name, value in settings.items():
        chosen += ["--conf", f"{name}={setting_text(value)}"]
    return chosen
