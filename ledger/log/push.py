"""The log's side of witnessing: push the newest checkpoint to every witness of the policy, keep what they cosign.

It has its own connection to the log's file and never holds the sequencer's lock; the only writing, keeping a cosigned
checkpoint, is one short transaction after a witness has answered. Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

import httpx2

from ledger.errors import LedgerUnavailableError, NoteError, ProofError, RollbackError, TamperError, WitnessError
from ledger.log.cosignature import Cosigned, CosignerKey, add_cosignatures
from ledger.log.merkle import consistency_proof, tree_root
from ledger.log.note import Checkpoint, Note, VerifierKey, open_checkpoint, parse_size
from ledger.log.policy import Policy, Witness
from ledger.log.store import Store, unavailable
from ledger.log.witness import SIZE_TYPE, Reply, Submission

#: For each step of an exchange with a witness, and for all of it.
TIMEOUT_SECONDS = 5.0
DEADLINE_SECONDS = 15.0
MAX_REPLY_BYTES = 64 * 1024
#: A witness names its size once; a second time only if somebody else pushed in between.
_ATTEMPTS = 3

#: ``send(url, body)`` posts a body and gives the answer; raises WitnessError where there is none.
SendTo = Callable[[str, bytes], Reply]


class State(Enum):
    """What came of asking a witness."""

    COSIGNED = "cosigned"
    UNREACHABLE = "unreachable"  # no answer, or one that says: later
    REFUSED = "refused"  # it will not cosign this: an unknown log, a wrong key
    CONFLICT = "conflict"  # it has seen another history of this log
    AHEAD = "ahead"  # it has seen a larger log than this one is


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking ``witness`` (its name in the policy) to cosign the checkpoint of ``size``.

    ``en`` and ``zh`` say what is wrong, if anything is. ``forgot``: it cosigned, but no longer knows of what it did
    before.
    """

    witness: str
    size: int
    state: State
    en: str = ""
    zh: str = ""
    forgot: bool = False


class Pusher:
    """Pushes one log's checkpoints. One thread at a time calls it; within, each witness has a thread of its own.

    Args:
        store: a connection of its own to the log's file.
        log_key: the log's verifier key.
        send: how a witness is reached.
    """

    def __init__(self, store: Store, log_key: VerifierKey, policy: Policy, send: SendTo) -> None:
        self._store = store
        self._lock = threading.Lock()  # held while _store is used
        self._log_key = log_key
        self._policy = policy
        self._send = send
        self._known: dict[CosignerKey, int] = {}  # the size that each witness is believed to have
        self._pending: tuple[Checkpoint, bytes] | None = None
        self._asked_in_vain: list[Witness] = []
        self._read_known()

    def close(self) -> None:
        self._store.close()

    def push(self) -> tuple[Outcome, ...]:
        """Show the newest checkpoint to every witness with a URL and keep their cosignatures.

        Raises:
            TamperError: the tree as stored is not what the newest checkpoint signed; no witness was asked.
            LedgerUnavailableError: the log's file cannot be read or written now.
        """
        newest = self._newest()
        if newest is None:
            return ()
        self._pending = newest
        return self._ask_all(newest, self._reachable())

    def retry(self) -> tuple[Outcome, ...]:
        """Ask those again that could not be reached, for the same checkpoint: a quorum is of one size. Raises alike."""
        return self._ask_all(self._pending, self._asked_in_vain) if self._pending else ()

    @property
    def unreached(self) -> tuple[str, ...]:
        """Names of the witnesses that :meth:`retry` would ask."""
        return tuple(witness.name for witness in self._asked_in_vain)

    @property
    def pushed_size(self) -> int:
        """The size that was pushed last; at first, the largest that anybody is known to have cosigned."""
        return self._pending[0].size if self._pending else max(self._known.values(), default=0)

    def _reachable(self) -> list[Witness]:
        return [witness for witness in self._policy.witnesses if witness.url]

    def _ask_all(self, pending: tuple[Checkpoint, bytes], witnesses: Iterable[Witness]) -> tuple[Outcome, ...]:
        asked = list(witnesses)
        if not asked:
            return ()
        with ThreadPoolExecutor(len(asked), thread_name_prefix="witness") as pool:
            outcomes = tuple(pool.map(lambda witness: self._ask(witness, *pending), asked))
        in_vain = {outcome.witness for outcome in outcomes if outcome.state is State.UNREACHABLE}
        self._asked_in_vain = [witness for witness in asked if witness.name in in_vain]
        return outcomes

    def _ask(self, witness: Witness, checkpoint: Checkpoint, note: bytes) -> Outcome:
        try:
            return self._submit(witness, checkpoint, note)
        except RollbackError as error:
            return Outcome(witness.name, checkpoint.size, State.AHEAD, error.en, error.zh)
        except NoteError as error:  # its signature finds no room: sixteen have signed this size
            return Outcome(witness.name, checkpoint.size, State.REFUSED, error.en, error.zh)
        except (WitnessError, LedgerUnavailableError) as error:  # asked again, it cosigns the same once more
            return Outcome(witness.name, checkpoint.size, State.UNREACHABLE, error.en, error.zh)

    def _submit(self, witness: Witness, checkpoint: Checkpoint, note: bytes) -> Outcome:
        known = self._known.get(witness.key, 0)
        old = min(known, checkpoint.size)
        forgot: tuple[str, str] | None = None
        for _ in range(_ATTEMPTS):
            reply = self._send(f"{witness.url.rstrip('/')}/add-checkpoint", self._submission(old, checkpoint, note))
            if reply.status == 200:
                self._keep(witness, checkpoint, note, reply.body)
                self._known[witness.key] = checkpoint.size
                en, zh = forgot or ("", "")
                return Outcome(witness.name, checkpoint.size, State.COSIGNED, en, zh, forgot is not None)
            if reply.status != 409 or reply.content_type.partition(";")[0].strip() != SIZE_TYPE:
                break
            size = _named_size(witness, reply.body)
            if size > checkpoint.size:
                self._check_not_behind(witness, size)
                # Another push of ours overtook this one: the witness has a later checkpoint, which is as good.
                return Outcome(witness.name, checkpoint.size, State.COSIGNED)
            if size == old:
                break  # it has our size and another root
            if size < known:
                forgot = _forgot(witness, known, size)
            old = size
        return _refused(witness, checkpoint.size, reply, old)

    def _check_not_behind(self, witness: Witness, size: int) -> None:
        newest = self._newest()
        if newest is None or newest[0].size < size:
            own = newest[0].size if newest else 0
            raise RollbackError(
                f"witness {witness.name} has cosigned {size} entries of this log, which has {own}: an older copy was "
                "put in its place or entries were cut off. Put the newest backup back or refill it with `liandong "
                "restore`; if the witness is wrong, call its office",
                f"见证方 {witness.name} 已见证本台账 {size} 条，而台账只有 {own} 条：被换成旧副本，或被截去末尾。"
                "请换回最新备份，或用 `liandong restore` 补齐；若见证方有误，请联系其所属机构",
            )

    def _submission(self, old: int, checkpoint: Checkpoint, note: bytes) -> bytes:
        with self._lock:
            return submission(self._store, old, checkpoint, note)

    def _newest(self) -> tuple[Checkpoint, bytes] | None:
        with self._lock:
            return newest_checkpoint(self._store, self._log_key)

    def _keep(self, witness: Witness, checkpoint: Checkpoint, note: bytes, lines: bytes) -> None:
        try:
            cosigned = add_cosignatures(note, lines, [witness.key])
        except NoteError as error:
            raise WitnessError(
                f"witness {witness.name} answered with a cosignature that does not hold: {error.en}",
                f"见证方 {witness.name} 回复的见证签名不成立：{error.zh}",
            ) from error
        if not _has_signed(cosigned, witness.key):
            raise WitnessError(
                f"witness {witness.name} answered without a cosignature by the key that the policy names; compare the "
                "key with the one on its page",
                f"见证方 {witness.name} 的回复中没有策略所列公钥的见证签名；请与其页面上的公钥核对",
            )
        with self._lock:
            keep_cosigned(self._store, checkpoint, cosigned, [witness.key])

    def _read_known(self) -> None:
        missing = {witness.key for witness in self._policy.witnesses}
        try:
            for count, (size, note) in enumerate(self._store.cosigned()):
                for key in [key for key in missing if _has_signed(note, key)]:
                    self._known[key] = size
                    missing.discard(key)
                if not missing or count > 1_000:  # the witness itself will say what it has
                    break
        except sqlite3.Error as error:
            raise unavailable(self._store.path, error) from error


def newest_checkpoint(store: Store, log_key: VerifierKey) -> tuple[Checkpoint, bytes] | None:
    """The log's newest checkpoint, and its bytes, if the stored tree is what it signed; None for an empty log.

    Raises:
        TamperError: it is not.
        NoteError: the checkpoint is not signed by ``log_key``.
        LedgerUnavailableError: the file cannot be read now.
    """
    try:
        found = store.checkpoint()
        if found is None:
            return None
        checkpoint = open_checkpoint(found[1], log_key)
        check_root(store, checkpoint)
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    return checkpoint, found[1]


def check_root(store: Store, checkpoint: Checkpoint) -> None:
    """Raise :class:`TamperError` unless ``checkpoint`` is of the tree that ``store`` holds.

    Raises:
        sqlite3.Error: the file cannot be read now.
    """
    size = store.head().size
    if checkpoint.size > size:
        raise RollbackError(
            f"a signed checkpoint covers {checkpoint.size} entries, the ledger holds {size}: an older copy was put in "
            "its place or entries were cut off; restore the newest backup",
            f"已签名的检查点涵盖 {checkpoint.size} 条，而台账只有 {size} 条："
            "被换成旧副本，或被截去末尾；请恢复最新备份",
        )
    root = tree_root(checkpoint.size, store)
    if root != checkpoint.root:
        raise TamperError(
            f"the signed checkpoint of size {checkpoint.size} has root {checkpoint.root.hex()}, the stored tree "
            f"{root.hex()}: stored bytes were altered; run `liandong ledger verify`",
            f"大小为 {checkpoint.size} 的已签名检查点的根为 {checkpoint.root.hex()}，所存的树为 {root.hex()}："
            "字节被改动；请运行 `liandong ledger verify`",
        )


def submission(store: Store, old: int, checkpoint: Checkpoint, note: bytes) -> bytes:
    """The add-checkpoint request that shows ``checkpoint`` to a witness that has seen ``old`` entries.

    Raises:
        ProofError: ``old`` is more than the checkpoint covers.
        LedgerUnavailableError: the file cannot be read now.
    """
    if old > checkpoint.size:
        raise ProofError(
            f"the witness has seen {old} entries, the checkpoint covers {checkpoint.size}",
            f"见证方已见 {old} 条，而检查点只涵盖 {checkpoint.size} 条",
        )
    try:
        proof = consistency_proof(old, checkpoint.size, store)
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    return Submission(old, tuple(proof), note).to_bytes()


def newest_quorum(store: Store, policy: Policy) -> tuple[Checkpoint, tuple[Cosigned, ...], bytes] | None:
    """The largest kept checkpoint that is *witnessed*: with its cosignatures, and its bytes; None where there is none.

    Raises:
        NoteError: a kept checkpoint is malformed, or a signature in it does not verify.
        LedgerUnavailableError: the file cannot be read now.
    """
    try:
        for _, note in store.cosigned():
            checkpoint, cosigned = policy.open_checkpoint(note)
            if policy.is_quorum({item.key for item in cosigned}):
                return checkpoint, cosigned, note
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    return None


def keep_cosigned(store: Store, checkpoint: Checkpoint, cosigned: bytes, witnesses: list[CosignerKey]) -> bytes:
    """Merge the cosignatures of ``cosigned`` into the kept checkpoint of its size, durably; return it.

    Raises:
        NoteError: a cosignature by one of ``witnesses`` does not verify.
        TamperError: the checkpoint is not of this log's tree.
        LedgerUnavailableError: the file cannot be written now; nothing was kept.
    """
    lines = b"".join(signature.to_bytes() for signature in Note.parse(cosigned).signatures)
    try:
        store.begin()
        try:
            check_root(store, checkpoint)
            merged = add_cosignatures(store.checkpoint_of(checkpoint.size) or cosigned, lines, witnesses)
            store.put_cosigned(checkpoint.size, merged)
            store.commit()
        finally:
            store.rollback()  # only where something failed
    except sqlite3.Error as error:
        raise unavailable(store.path, error) from error
    return merged


def post(url: str, body: bytes, deadline_s: float = DEADLINE_SECONDS) -> Reply:
    """Send over HTTP: no redirects, no proxy from the environment, a short answer only, as it was sent.

    Args:
        deadline_s: for all of it, so that a peer that trickles cannot hold up the others.

    Raises:
        WitnessError: no answer, or one that is too long or too slow.
    """
    try:
        return asyncio.run(asyncio.wait_for(_exchange(url, body), deadline_s))
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
        raise WitnessError(
            f"{url} cannot be reached ({error or type(error).__name__}); it will be asked again",
            f"无法连接 {url}（{error or type(error).__name__}）；稍后将再次联系",
        ) from error


async def _exchange(url: str, body: bytes) -> Reply:
    headers = {"content-type": "text/plain; charset=utf-8", "accept-encoding": "identity"}
    data = bytearray()
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > MAX_REPLY_BYTES:
                raise WitnessError(f"{url} answers too much", f"{url} 的回复过长")
        return Reply(response.status_code, response.headers.get("content-type", ""), bytes(data))


def _forgot(witness: Witness, known: int, size: int) -> tuple[str, str]:
    return (
        f"witness {witness.name} has cosigned {known} entries of this log and knows of {size}: its state was lost or "
        "an older one put back, so it can be led to another history; call its office",
        f"见证方 {witness.name} 曾见证本台账 {known} 条，现在只知道 {size} 条：其状态曾丢失或被换回旧的，"
        "可能被引向另一段历史；请联系其所属机构",
    )


def _has_signed(note: bytes, key: CosignerKey) -> bool:
    return any((key.name, key.key_id) == (s.name, s.key_id) for s in Note.parse(note).signatures)


def _named_size(witness: Witness, body: bytes) -> int:
    try:
        if not body.endswith(b"\n"):
            raise NoteError("no newline", "没有换行")
        return parse_size(body[:-1])
    except NoteError as error:
        raise WitnessError(
            f"witness {witness.name} answered 409 without a size", f"见证方 {witness.name} 回复 409 却没有给出大小"
        ) from error


def _refused(witness: Witness, size: int, reply: Reply, old: int) -> Outcome:
    """What a refusal means.

    Args:
        old: the size from which the refused request proved.
    """
    said = " ".join(reply.body[:300].decode(errors="replace").split())
    said = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in said)
    if reply.status == 422 or (reply.status == 409 and reply.content_type.startswith(SIZE_TYPE) and old == size):
        return Outcome(
            witness.name,
            size,
            State.CONFLICT,
            f"witness {witness.name} has seen another history of this log ({reply.status} {said}): entries were "
            "rewritten, or an older copy was put in place and went its own way. Keep the ledger as it is and call the "
            "witness's office",
            f"见证方 {witness.name} 所见为本台账的另一段历史（{reply.status} {said}）：条目被改写，"
            "或被换成旧副本后自行增长。请原样保存台账，并联系该见证方所属机构",
        )
    # 429 and 5xx: later. Anything else is a decision about this checkpoint.
    state = State.UNREACHABLE if reply.status == 429 or reply.status >= 500 else State.REFUSED
    return Outcome(
        witness.name,
        size,
        state,
        f"witness {witness.name} did not cosign size {size}: {reply.status} {said}",
        f"见证方 {witness.name} 未签署大小 {size}：{reply.status} {said}",
    )
