"""`from gateway_ext.kernel_tools.spark_session import *`: the session of a Spark driver.

It defines `spark`, `sc`, `sql` and `sqlContext` as `pyspark.shell` does. But a driver outlives the
processes of its kernel, and on YARN it may have only one Spark context in its life. So the first
process creates it, and those after a restart join it, with a session of their own: executors and
cached data stay, temporary views do not. Nothing here stops the context when a process ends.
"""

from __future__ import annotations

import sys
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession, SQLContext

__all__ = ["SparkContext", "SparkSession", "sc", "spark", "sql", "sqlContext"]

_NO_SECOND = (
    "Spark cannot be used in this kernel: its driver has stopped its Spark context, perhaps by "
    "spark.stop(), and cannot create another one. Delete the kernel and start a new one."
)


def _running_context() -> Any:
    """The JVM's context, None if it has none."""
    jvm = SparkContext._jvm
    assert jvm is not None  # noqa: S101 - for the type checker
    companion = getattr(getattr(jvm.org.apache.spark, "SparkContext$"), "MODULE$")
    active = companion.getActive()
    return active.get() if active.isDefined() else None


def _session() -> SparkSession:
    SparkContext._ensure_initialized()
    running = _running_context()
    if running is None:
        return SparkSession._create_shell_session()
    java = SparkContext._jvm.org.apache.spark.api.java.JavaSparkContext  # type: ignore[union-attr]
    context = SparkContext(jsc=java.fromSparkContext(running))
    # `newSession` has the settings of the application, and nothing of the former process.
    return SparkSession.builder.config(conf=context.getConf()).getOrCreate().newSession()


try:
    spark = _session()
except Exception as error:
    if "Promise already completed" in str(error):
        sys.exit(_NO_SECOND)
    raise

sc = spark.sparkContext
sql = spark.sql
sqlContext = SQLContext._get_or_create(sc)
