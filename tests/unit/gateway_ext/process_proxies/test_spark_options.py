"""SparkApplications and command lines with launch options, compared with those written by hand."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.option_labels import OptionLabels
from gateway_ext.process_proxies.spark_options import (
    spark_submit_options,
    with_spark_application_options,
)

KUEUE = OptionLabels("kueue.x-k8s.io/queue-name", "", "pool")
TEMPLATE: dict[str, Any] = {
    "apiVersion": "sparkoperator.k8s.io/v1beta2",
    "kind": "SparkApplication",
    "metadata": {},
    "spec": {
        "image": "team/spark:4",
        "sparkConf": {"spark.executor.memory": "3g", "spark.ui.enabled": "false"},
        "driver": {"cores": 1, "memory": "1g", "image": "team/driver:4"},
        "executor": {"instances": 2, "cores": 1, "memory": "1g", "image": "team/executor:4"},
    },
}
OPTIONS = {
    "image": "team/spark:5",
    "queue": "team-a",
    "priority_class": "high",
    "scheduler": "fleet-scheduler",
    "tolerations": [{"key": "spark", "operator": "Exists"}],
    "node_pool": "spark",
    "environment": {"A": "1"},
    "spark": {
        "spark.driver.memory": "2g",
        "spark.executor.instances": 4,
        "spark.executor.cores": 2,
        "spark.executor.memory": "8g",
        "spark.sql.shuffle.partitions": 64,
        "spark.sql.ansi.enabled": True,
    },
}


def test_a_spark_application() -> None:
    both = {
        "priorityClassName": "high",
        "tolerations": [{"key": "spark", "operator": "Exists"}],
    }
    assert with_spark_application_options(TEMPLATE, OPTIONS, KUEUE) == {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        # Kueue admits the application; labels on its pods would queue each of them as well.
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team-a"}},
        "spec": {
            "image": "team/spark:5",
            "sparkConf": {
                "spark.ui.enabled": "false",
                "spark.sql.shuffle.partitions": "64",
                "spark.sql.ansi.enabled": "true",
                "spark.kubernetes.scheduler.name": "fleet-scheduler",
                "spark.kubernetes.node.selector.pool": "spark",
            },
            "driver": {"cores": 1, "memory": "2g", **both},
            "executor": {
                "instances": 4,
                "cores": 2,
                "memory": "8g",
                "image": "team/executor:4",
                **both,
            },
        },
    }


def test_another_scheduler_looks_at_each_pod() -> None:
    for labels, where in (
        (OptionLabels("queue", "", "pool"), {"labels": {"queue": "q"}}),
        (OptionLabels("", "x.io/queue", "pool"), {"annotations": {"x.io/queue": "q"}}),
    ):
        application = with_spark_application_options(TEMPLATE, {"queue": "q"}, labels)
        assert application["metadata"] == where
        for part in ("driver", "executor"):
            assert application["spec"][part] == {**TEMPLATE["spec"][part], **where}


def test_without_options_the_template_stays() -> None:
    before = repr(TEMPLATE)
    assert with_spark_application_options(TEMPLATE, {}, KUEUE) == TEMPLATE
    with_spark_application_options(TEMPLATE, OPTIONS, KUEUE)
    assert repr(TEMPLATE) == before


def test_a_template_without_a_driver() -> None:
    with pytest.raises(LaunchFailed, match="no driver"):
        with_spark_application_options({"spec": {}}, OPTIONS, KUEUE)


def test_spark_submit() -> None:
    assert spark_submit_options({}) == []
    assert spark_submit_options(OPTIONS) == [
        *("--queue", "team-a"),
        *("--conf", "spark.driver.memory=2g"),
        *("--conf", "spark.executor.instances=4"),
        *("--conf", "spark.executor.cores=2"),
        *("--conf", "spark.executor.memory=8g"),
        *("--conf", "spark.sql.shuffle.partitions=64"),
        *("--conf", "spark.sql.ansi.enabled=true"),
        *("--conf", "spark.yarn.am.nodeLabelExpression=spark"),
        *("--conf", "spark.yarn.executor.nodeLabelExpression=spark"),
    ]
