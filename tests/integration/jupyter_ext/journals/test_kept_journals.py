"""What is kept of journals in both databases and a real store: merged, bounded, deleted in time."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update
from tornado import web

from jupyter_ext.contents.bucket import Bucket, ObjectMissing, check
from jupyter_ext.contents.storage import Storage
from jupyter_ext.database.engine import now_utc
from jupyter_ext.journals import kept as kept_module
from jupyter_ext.journals import rows
from jupyter_ext.journals.kept import KeptJournals, key_of
from jupyter_ext.journals.rows import (
    AnotherPart,
    AnotherProject,
    EarlierOwner,
    Journal,
    Kernel,
    Piece,
)
from jupyter_ext.journals.sweep import JournalSweep
from jupyter_ext.journals.tables import kernel_journal
from jupyter_ext.wire.journal_parts import PartHeader, pack_part
from jupyter_ext.wire.messages import parse_part, split_v1
from tests.unit.jupyter_ext.journals.test_told import printed

JOURNAL = "0123456789abcdef" * 2
KERNEL = Kernel("k1", "demo", "demo/a.ipynb", "ada", "python")
BOUND = 2**20


class Store:
    """Two labs on one database and one bucket."""

    def __init__(self, database_url: str, bucket_url: str) -> None:
        check(bucket_url)
        self.storages = [Storage(database_url, bucket_url) for _ in range(2)]
        self.labs = [KeptJournals(storage, BOUND) for storage in self.storages]
        self.bucket = Bucket(bucket_url)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    def sql(self, function: Callable[..., Any]) -> Any:
        return self.storages[0].database.run_blocking(function)

    def keep(
        self, first: int, last: int, *texts: str, lab: int = 0, kernel: Kernel = KERNEL, **more: Any
    ) -> None:
        messages = list(enumerate(map(printed, texts), first))
        part = pack_part(PartHeader(JOURNAL, first, last, **more), messages)
        self.run(self.labs[lab].keep(kernel, part))

    def journal(self, kernel_id: str = "k1") -> Journal:
        (journal,) = self.run(self.labs[1].of_kernel(kernel_id))
        return journal

    def pieces(self, kernel_id: str = "k1") -> list[Piece]:
        return self.sql(partial(rows.pieces, kernel_id=kernel_id, journal=JOURNAL))

    def text(self, before: int | None = None) -> str:
        told, _ = self.run(self.labs[1].read(self.journal(), before))
        return "".join(parse_part(split_v1(one)[1][3])["text"] for _, one in told.messages)

    def is_there(self, piece: Piece) -> bool:
        try:
            self.bucket.get(key_of(self.journal(), piece))
        except ObjectMissing:
            return False
        return True


@pytest.fixture
def store(lab_database_url: str, bucket_url: str) -> Store:
    return Store(lab_database_url, bucket_url)


def test_parts_that_come_at_different_labs_are_one_journal(store: Store) -> None:
    store.keep(1, 2, "a", "b", process="running")
    store.keep(3, 3, "c", lab=1, process="dead", reason="out of memory")
    journal = store.journal()
    assert (journal.project, journal.path, journal.last) == ("demo", "demo/a.ipynb", 3)
    assert (journal.process, journal.reason, journal.complete) == ("dead", "out of memory", False)
    assert store.text() == "abc"
    assert store.text(before=3) == "ab"


def test_a_part_that_comes_twice_is_kept_once(store: Store) -> None:
    store.keep(1, 2, "a", "b")
    before = store.journal()
    store.keep(1, 2, "a", "b", lab=1)
    after = store.journal()
    assert (after.bytes, after.parts) == (before.bytes, before.parts)
    assert store.text() == "ab"


def test_a_copy_of_an_older_part_changes_nothing_of_the_end(store: Store) -> None:
    store.keep(1, 1, "a", process="running")
    store.keep(2, 2, process="dead", reason="out of memory", complete=True)
    # From a lab that was slow: the agent has long sent it again.
    store.keep(1, 1, "a", lab=1, process="running")
    journal = store.journal()
    assert (journal.process, journal.reason, journal.complete) == ("dead", "out of memory", True)


def test_another_part_with_the_same_numbers_is_refused(store: Store) -> None:
    store.keep(1, 2, "a", "b")
    before = store.pieces()
    with pytest.raises(AnotherPart):
        store.keep(1, 2, "x" * 100_000, "b", lab=1)
    assert store.pieces() == before
    assert store.text() == "ab"


def test_parts_of_an_earlier_owner_are_refused_in_every_journal_of_the_kernel(
    store: Store,
) -> None:
    store.keep(1, 1, "a")
    store.keep(2, 2, "b", kernel=replace(KERNEL, epoch=5))
    # The same part again, under the next owner.
    store.keep(2, 2, "b", lab=1, kernel=replace(KERNEL, epoch=6))
    with pytest.raises(EarlierOwner):
        store.keep(3, 3, "c", kernel=replace(KERNEL, epoch=5))
    other = pack_part(PartHeader("f" * 32, 1, 1), [])
    with pytest.raises(EarlierOwner):
        store.run(store.labs[1].keep(replace(KERNEL, epoch=5), other))
    # Another kernel's is no business of this one, and gateways of the version before say no epoch.
    store.keep(1, 1, "a", kernel=replace(KERNEL, id="k2", epoch=1))
    store.keep(3, 3, "c")
    assert store.text() == "abc"


def test_epochs_of_a_kernel_may_begin_anew_after_a_day(store: Store) -> None:
    store.keep(1, 1, "a", kernel=replace(KERNEL, epoch=7))
    new_kernel = replace(KERNEL, epoch=1)
    for age, refused in ((0.5, True), (1.0, False)):
        store.sql(
            lambda connection, age=age: connection.execute(
                update(kernel_journal).values(changed=now_utc(connection) - age * rows.OUTDATES)
            )
        )
        with pytest.raises(EarlierOwner) if refused else nullcontext():
            store.keep(2, 2, "b", kernel=new_kernel)
    # And whatever follows.
    store.keep(3, 3, "c", kernel=new_kernel)
    assert store.text() == "abc"


def test_a_part_deleted_while_it_is_written_leaves_no_object(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    put = Bucket.put

    def put_late(bucket: Bucket, key: str, *rest: Any) -> Any:
        written.append(key)
        gone = store.pieces()
        store.sql(partial(rows.forget_pieces, kernel_id="k1", journal=JOURNAL, gone=gone))
        return put(bucket, key, *rest)

    monkeypatch.setattr(Bucket, "put", put_late)
    store.keep(1, 1, "a")
    with pytest.raises(ObjectMissing):
        store.bucket.get(written[0])


def test_a_journal_stays_in_its_project(store: Store) -> None:
    store.keep(1, 1, "a")
    stolen = Kernel("k1", "other", "other/b.ipynb", "eve", "python")
    with pytest.raises(AnotherProject):
        store.keep(2, 2, "b", kernel=stolen)
    assert store.journal().last == 1
    assert len(store.pieces()) == 1


def test_many_small_objects_become_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "MERGE_PARTS", 5)
    before: list[Piece] = []
    for number in range(1, 12):
        store.keep(number, number, f"{number},", lab=number % 2)
        before = before or (store.pieces() if number == 4 else [])
    found = store.pieces()
    assert [(piece.first, piece.last, piece.merged) for piece in found] == [
        (1, 4, True),
        (5, 8, True),
        (9, 9, False),
        (10, 10, False),
        (11, 11, False),
    ]
    assert all(map(store.is_there, found))
    assert not any(map(store.is_there, before))
    assert store.journal().bytes == sum(piece.bytes for piece in found)
    assert store.text() == "".join(f"{number}," for number in range(1, 12))


def test_a_lab_that_died_while_merging_loses_and_doubles_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MERGE_PARTS", 4)

    async def died(*arguments: Any) -> None:
        raise RuntimeError("killed")

    for number in (1, 2, 3):
        store.keep(number, number, str(number))
    with monkeypatch.context() as dying:
        dying.setattr(store.labs[0], "_delete", died)
        with pytest.raises(RuntimeError):
            store.keep(4, 4, "4")
    assert len(store.pieces()) == 5
    assert store.text() == "1234"
    for number in range(5, 12):
        store.keep(number, number, f",{number}")
    assert store.text() == "1234" + "".join(f",{number}" for number in range(5, 12))


@contextmanager
def once_in_the_middle(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> Iterator[None]:
    """`act` runs once, in front of the second object that somebody reads."""
    get, read = Bucket.get, [0]

    def get_late(bucket: Bucket, key: str) -> bytes:
        read[0] += 1
        if read[0] == 2:
            act()
        return get(bucket, key)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "get", get_late)
        yield


def test_two_labs_that_merge_the_same_parts_at_once_lose_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MERGE_PARTS", 5)
    for storage in store.storages:
        # Not every store refuses to write an object anew.
        monkeypatch.setattr(storage.bucket, "_create_only", False)
    for number in range(1, 5):
        store.keep(number, number, f"{number},")
    # The store is slow: the gateway has given up, and sends the same part to another lab.
    with once_in_the_middle(monkeypatch, lambda: store.keep(5, 5, "5,", lab=1)):
        store.keep(5, 5, "5,")
    assert store.text() == "1,2,3,4,5,"
    for number in range(6, 12):
        store.keep(number, number, f"{number},")
    assert store.text() == "".join(f"{number}," for number in range(1, 12))


def test_who_reads_while_parts_are_merged_misses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MERGE_PARTS", 5)
    for number in range(1, 5):
        store.keep(number, number, f"{number},")
    with once_in_the_middle(monkeypatch, lambda: store.keep(5, 5, "5,")):
        assert store.text() == "1,2,3,4,5,"


def test_the_oldest_goes_when_there_is_too_much(store: Store) -> None:
    # What is random does not shrink much.
    texts = [f"{number}:" + _noise(number, 400_000) for number in range(1, 8)]
    gone: list[Piece] = []
    for number, text in enumerate(texts, 1):
        store.keep(number, number, text)
        gone = gone or store.pieces()
    assert store.journal().bytes <= BOUND
    assert not store.is_there(gone[0])
    told, earlier = store.run(store.labs[0].read(store.journal(), None))
    assert told.last == 7
    assert told.first > 1
    assert not earlier


def _noise(seed: int, length: int) -> str:
    return random.Random(seed).randbytes(length // 2).hex()


def test_a_renamed_document_keeps_its_journals(store: Store) -> None:
    store.keep(1, 1, "a")
    store.sql(partial(rows.move_documents, old="demo/a.ipynb", new="demo/sub/b.ipynb"))
    store.sql(partial(rows.move_documents, old="demo/sub", new="demo/sub2"))
    (found,) = store.run(store.labs[0].of_document("demo/sub2/b.ipynb", 10))
    assert found.kernel_id == "k1"
    assert store.run(store.labs[0].of_document("demo/a.ipynb", 10)) == []
    # One that goes to another project leaves them behind.
    store.sql(partial(rows.move_documents, old="demo/sub2/b.ipynb", new="other/b.ipynb"))
    assert store.journal().path == "demo/sub2/b.ipynb"


def test_a_journal_goes_some_days_after_its_kernel_was_last_known_to_live(store: Store) -> None:
    store.keep(1, 1, "a")
    store.keep(1, 1, "b", kernel=Kernel("k2", "demo", "", "ada", "python"))
    (ended,), (living,) = store.pieces(), store.pieces("k2")
    ended_journal, living_journal = store.journal(), store.journal("k2")
    store.sql(
        lambda connection: connection.execute(
            update(kernel_journal).values(alive=now_utc(connection) - timedelta(days=8))
        )
    )

    async def away() -> list[dict[str, Any]]:
        raise web.HTTPError(503, "no gateway answers")

    async def kernels() -> list[dict[str, Any]]:
        return [{"id": "k2", "state": "running"}, {"id": "k1", "state": "dead"}]

    async def hold_lease(holder: str, seconds: float) -> bool:
        return True

    def sweep(list_kernels: Any) -> JournalSweep:
        return JournalSweep(journals=store.labs[0], kernels=list_kernels, hold_lease=hold_lease)

    with pytest.raises(web.HTTPError):
        store.run(sweep(away).sweep())
    assert store.pieces()
    store.run(sweep(kernels).sweep())
    assert store.pieces() == []
    assert store.run(store.labs[0].of_kernel("k1")) == []
    with pytest.raises(ObjectMissing):
        store.bucket.get(key_of(ended_journal, ended))
    # The other one begins its days when its kernel ends.
    assert store.bucket.get(key_of(living_journal, living))
    store.run(sweep(kernels).sweep())
    assert store.pieces("k2") == [living]


def test_a_kernel_has_no_more_than_its_newest_journals(store: Store) -> None:
    objects = []
    for number in range(1, 8):
        journal = f"{number:032x}"
        part = pack_part(PartHeader(journal, 1, 1), [(1, printed("a"))])
        store.run(store.labs[0].keep(KERNEL, part))
        found = store.run(store.labs[0].of_kernel("k1"))[0]
        assert found.journal == journal
        (piece,) = store.sql(partial(rows.pieces, kernel_id="k1", journal=journal))
        objects.append(key_of(found, piece))
    left = [one.journal for one in store.run(store.labs[0].of_kernel("k1"))]
    assert left == [f"{number:032x}" for number in (7, 6, 5, 4, 3)]
    for gone in objects[:2]:
        with pytest.raises(ObjectMissing):
            store.bucket.get(gone)
    assert all(map(store.bucket.get, objects[2:]))


def test_the_kernels_of_one_person_have_a_bound_of_which_others_feel_nothing(store: Store) -> None:
    def kernel(name: str, project: str, username: str) -> Kernel:
        return Kernel(name, project, "", username, "python")

    kernels = [
        *(kernel(f"old-{number}", "demo", "ada") for number in range(3)),
        kernel("living", "demo", "ada"),
        kernel("elsewhere", "other", "ada"),
        kernel("of-bob", "demo", "bob"),
    ]
    for one in kernels:
        store.keep(1, 1, _noise(1, 100_000), kernel=one)
    size = store.journal("living").bytes
    objects = {one.id: key_of(store.journal(one.id), store.pieces(one.id)[0]) for one in kernels}
    for age, name in enumerate(("of-bob", "living", "elsewhere", "old-0", "old-2", "old-1")):
        ended = timedelta(hours=10 - age)
        store.sql(
            lambda connection, name=name, ended=ended: connection.execute(
                update(kernel_journal)
                .where(kernel_journal.c.kernel_id == name)
                .values(alive=now_utc(connection) - ended)
            )
        )

    async def list_kernels() -> list[dict[str, Any]]:
        return [{"id": "living", "state": "running"}]

    async def hold_lease(holder: str, seconds: float) -> bool:
        return True

    sweep = JournalSweep(journals=store.labs[0], kernels=list_kernels, hold_lease=hold_lease)
    sweep.person_bytes = 4 * size
    store.run(sweep.sweep())
    assert len([name for name in objects if store.pieces(name)]) == 6
    sweep.person_bytes = 2 * size
    store.run(sweep.sweep())
    left = {name for name in objects if store.pieces(name)}
    assert left == {"old-1", "living", "elsewhere", "of-bob"}
    for name, key in objects.items():
        if name in left:
            assert store.bucket.get(key)
        else:
            with pytest.raises(ObjectMissing):
                store.bucket.get(key)
