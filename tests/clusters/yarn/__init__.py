"""Kernels in a real YARN: its jars from Maven, and Spark of the kernels' environment."""
