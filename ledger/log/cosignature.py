"""Timestamped Ed25519 cosignatures: a witness's statement of the largest consistent tree it has seen, and when.

Source: c2sp.org/tlog-cosignature, "Ed25519 signed message". The signed message does not hold the cosigner's name, so
a key is never shared by two cosigners.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import NoteError
from ledger.log.note import Checkpoint, Note, Signature, VerifierKey, check_name, open_checkpoint, vkey_parts

COSIGNATURE = 0x04  # signed-note, "Signature types"
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_MAX_TIME = 2**63 - 1
#: The last second of the year 9999: no calendar here goes further.
MAX_KEPT_TIME = 253_402_300_799


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A witness's public key: a vkey of type 04."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """``SHA256(name ‖ 0x0A ‖ 0x04 ‖ public key)[:4]``. Source: tlog-cosignature, "Format"."""
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public_key).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(bytes([COSIGNATURE]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> CosignerKey:
        """Read a cosigner's vkey.

        Raises:
            NoteError: not of the form, another signature type, or a key id that does not belong to the key.
        """
        name, key_id, public_key = vkey_parts(text, COSIGNATURE, "a witness's key (type 04)", "见证公钥（类型 04）")
        key = cls(name, public_key)
        if key.key_id.hex() != key_id:
            raise NoteError(
                f"the witness key's id is {key_id}, its bytes give {key.key_id.hex()}: it was mistyped or altered",
                f"见证公钥的编号写作 {key_id}，由其字节算得 {key.key_id.hex()}：抄写有误或被改动",
            )
        return key

    def verify(self, payload: bytes, text: bytes) -> int:
        """The POSIX time (seconds) of a cosignature by this key over the checkpoint ``text``.

        Raises:
            NoteError: ``payload`` (time and signature) is not this key's over this text.
        """
        if len(payload) != _TIME_BYTES + _SIGNATURE_BYTES:
            raise NoteError(
                f"a cosignature of {len(payload)} bytes by {self.name}; want {_TIME_BYTES + _SIGNATURE_BYTES}",
                f"{self.name} 的见证签名长 {len(payload)} 字节，应为 {_TIME_BYTES + _SIGNATURE_BYTES}",
            )
        time = cosigned_at(payload)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(payload[_TIME_BYTES:], _message(time, text))
        except (InvalidSignature, ValueError) as error:
            raise NoteError(
                f"the cosignature of {self.name} does not verify: checkpoint, time or signature was altered",
                f"{self.name} 的见证签名验证不通过：检查点、时间或签名被改动",
            ) from error
        return time


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's private key."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def key(self) -> CosignerKey:
        return CosignerKey(self.name, self.private_key.public_key().public_bytes_raw())

    def signature_line(self, text: bytes, time: int) -> bytes:
        """The signature line for a checkpoint's ``text`` at POSIX ``time`` (seconds), newline included."""
        check_name(self.name)
        if not 0 <= time <= _MAX_TIME:
            raise NoteError(f"time {time} is out of range", f"时间 {time} 超出范围")
        payload = time.to_bytes(_TIME_BYTES) + self.private_key.sign(_message(time, text))
        return Signature(self.name, self.key.key_id, payload).to_bytes()


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A verified cosignature: by whom, and at what POSIX time (seconds) by the witness's own clock."""

    key: CosignerKey
    time: int


def cosigned_at(payload: bytes) -> int:
    """The POSIX time (seconds) in a cosignature's payload.

    Raises:
        NoteError: too short, or beyond 2^63 − 1.
    """
    time = int.from_bytes(payload[:_TIME_BYTES])
    if len(payload) < _TIME_BYTES or time > _MAX_TIME:
        raise NoteError("a cosignature without a valid time", "见证签名缺少有效时间")
    return time


def open_cosigned(
    data: bytes, log_key: VerifierKey, witnesses: Sequence[CosignerKey]
) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
    """Read a checkpoint, verify the log's signature and every known witness's.

    Returns:
        The checkpoint and the known witnesses that cosigned it; none is no error, the policy decides.

    Raises:
        NoteError: malformed, not signed by ``log_key``, or a known witness's cosignature does not verify.
    """
    checkpoint = open_checkpoint(data, log_key)
    note = Note.parse(data)
    found: dict[CosignerKey, Cosigned] = {}
    for signature in note.signatures:
        for key in witnesses:
            if (key.name, key.key_id) == (signature.name, signature.key_id):
                time = key.verify(signature.payload, note.text)
                if key in found:
                    raise NoteError(f"{key.name} cosigned twice", f"{key.name} 重复见证")
                found[key] = Cosigned(key, time)
    return checkpoint, tuple(found.values())


def add_cosignatures(data: bytes, lines: bytes, witnesses: Sequence[CosignerKey]) -> bytes:
    """The signed checkpoint ``data`` with those signature lines of a witness's answer that ``witnesses`` made.

    Lines of unknown keys are left out. Where ``data`` holds a witness's cosignature already, that one stays: it is the
    earlier, and bounds time more narrowly.

    Raises:
        NoteError: a line is malformed, a known witness's cosignature does not verify, or the note grows too large.
    """
    note = Note.parse(data)
    present = {(signature.name, signature.key_id) for signature in note.signatures}
    # C2SP tlog-witness: "the client MAY concatenate it to the checkpoint" and read the whole as a note.
    answer = Note.parse(note.text + b"\n" + lines)
    if answer.text != note.text:  # an empty line among the signatures moves where the text ends
        raise NoteError(
            "the witness's answer is not just signature lines; it will be asked again",
            "见证方的回复不只是签名行；稍后将再次联系",
        )
    kept = data
    for signature in answer.signatures:
        identity = (signature.name, signature.key_id)
        for key in witnesses:
            if (key.name, key.key_id) == identity and identity not in present:
                if key.verify(signature.payload, note.text) > MAX_KEPT_TIME:
                    raise NoteError(
                        f"{key.name} cosigned at a time after the year 9999: its clock is wrong",
                        f"{key.name} 的见证时间在公元 9999 年之后：其时钟有误",
                    )
                present.add(identity)
                kept += signature.to_bytes()
    if kept != data:
        Note.parse(kept)  # no more than 16 signatures: what we store, everybody must be able to read
    return kept


def _message(time: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n%s" % (time, text)
