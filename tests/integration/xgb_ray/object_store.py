"""What is in Ray's object store."""

from __future__ import annotations


def objects_in_store() -> int:
    """Bytes of the object store in use."""
    import gc

    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    gc.collect()
    reply = get_memory_info_reply(get_state_from_address(ray.get_runtime_context().gcs_address))
    used: int = reply.store_stats.object_store_bytes_used
    return used
