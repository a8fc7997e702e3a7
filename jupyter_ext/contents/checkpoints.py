"""Checkpoints: versions that a user has marked."""

from typing import Any, Protocol

from jupyter_server.services.contents.checkpoints import AsyncCheckpoints


class KeepsVersions(Protocol):
    """What checkpoints need of the contents manager."""

    async def mark_checkpoint(self, path: str, version: str | None) -> dict[str, Any]: ...

    async def restore_version(self, path: str, version: str) -> dict[str, Any]: ...

    async def marked_checkpoints(self, path: str) -> list[dict[str, Any]]: ...


class FleetCheckpoints(AsyncCheckpoints):
    """A checkpoint is a mark on a version and has that version's id. Creating one stores no data;
    restoring one creates a new version, so that the replaced one is kept. If a file is renamed, its
    checkpoints need no change, because they belong to its versions."""

    parent: KeepsVersions

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> dict[str, Any]:
        return await self.parent.mark_checkpoint(path, None)

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        await self.parent.restore_version(path, checkpoint_id)

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        return await self.parent.marked_checkpoints(path)

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        await self.parent.mark_checkpoint(path, checkpoint_id)

    async def rename_checkpoint(self, checkpoint_id: str, old_path: str, new_path: str) -> None:
        """Nothing to do: see above."""

    async def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        """Nothing to do: see above."""

    async def delete_all_checkpoints(self, path: str) -> None:
        """Nothing to do: a deleted file's versions are kept until retention removes them."""
