"""C2SP signed notes, verifier keys, checkpoints and tlog-proofs, read and written strictly.

Formats: c2sp.org/signed-note@v1.0.0, c2sp.org/tlog-checkpoint@v1.0.0, c2sp.org/tlog-proof@v1. Parsers take
bytes and accept one spelling only: other people's verifiers must take our bytes unchanged, and ours must not take
what theirs refuse.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import NoteError
from ledger.log.merkle import HASH_BYTES, check_inclusion, leaf_hash

ED25519 = 0x01  # signed-note, "Signature types"
MAX_SIGNATURES = 16
MAX_NOTE_BYTES = 1 << 20
PROOF_HEADER = b"c2sp.org/tlog-proof@v1"
# A tree of 2^63 leaves has audit paths of 63 hashes; more cannot belong to any checkpoint we accept.
MAX_PROOF_HASHES = 63

#: How much of what a note says about itself goes into a message: it may be a mebibyte of anything.
_SHOWN_NAMES, _SHOWN_CHARACTERS = 4, 80

_SIZE = re.compile(rb"0|[1-9][0-9]*")
_MAX_SIZE = 2**63
_SIGNATURE_PREFIX = "— ".encode()
_VKEY = re.compile(r"(?P<name>[^+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 verifier key (vkey): ``name+hex(key id)+base64(0x01 ‖ public key)``."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """``SHA256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]``. Source: signed-note, "Ed25519 signatures"."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.public_key).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(bytes([ED25519]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey.

        Raises:
            NoteError: not of the form, another signature type, or a key id that does not belong to the key.
        """
        name, key_id, public_key = vkey_parts(text, ED25519, "a log's key (type 01)", "日志公钥（类型 01）")
        key = cls(name, public_key)
        if key.key_id.hex() != key_id:
            raise NoteError(
                f"the verifier key's id is {key_id}, its bytes give {key.key_id.hex()}: it was mistyped or altered",
                f"验证公钥的编号写作 {key_id}，由其字节算得 {key.key_id.hex()}：抄写有误或被改动",
            )
        return key

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise :class:`NoteError` unless ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteError(
                f"the signature of {self.name} does not verify: the text or the signature was altered",
                f"{self.name} 的签名验证不通过：正文或签名被改动",
            ) from error


@dataclass(frozen=True, slots=True)
class Signer:
    """A named Ed25519 private key that signs notes."""

    name: str
    private_key: Ed25519PrivateKey
    #: Kept: deriving the public key costs more than signing does.
    verifier: VerifierKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        verifier = VerifierKey(self.name, self.private_key.public_key().public_bytes_raw())
        object.__setattr__(self, "verifier", verifier)

    def signature_line(self, text: bytes) -> bytes:
        """The signature line for a note's ``text``, newline included."""
        payload = self.verifier.key_id + self.private_key.sign(text)
        return _SIGNATURE_PREFIX + self.name.encode() + b" " + base64.b64encode(payload) + b"\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note, not yet verified."""

    name: str
    key_id: bytes
    payload: bytes

    def to_bytes(self) -> bytes:
        """The signature line, newline included."""
        return _SIGNATURE_PREFIX + self.name.encode() + b" " + base64.b64encode(self.key_id + self.payload) + b"\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed signed note. The text may be believed only after :meth:`verify`."""

    text: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a signed note.

        Raises:
            NoteError: not UTF-8, control characters, no blank line, malformed, too many or no signatures.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise _malformed(f"{len(data)} bytes, more than {MAX_NOTE_BYTES}", "过大")
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise _malformed("not valid UTF-8", "不是有效的 UTF-8") from error
        if any(byte < 0x20 and byte != 0x0A for byte in data):
            raise _malformed("it contains control characters", "含控制字符")
        text, separator, lines = data.rpartition(b"\n\n")
        if not separator or not lines.endswith(b"\n"):
            raise _malformed("no signatures after a blank line", "空行之后没有签名行")
        signatures = tuple(_parse_signature(line) for line in lines[:-1].split(b"\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise _malformed(f"{len(signatures)} signatures, more than {MAX_SIGNATURES}", "签名过多")
        return cls(text + b"\n", signatures)

    def verify(self, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Return the known keys that signed.

        Unknown keys are ignored; a known key whose signature fails rejects the whole note; so does a note that
        no known key signed. Source: signed-note, "Signatures".
        """
        signed: list[VerifierKey] = []
        for signature in self.signatures:
            for key in keys:
                if (key.name, key.key_id) == (signature.name, signature.key_id):
                    key.verify(signature.payload, self.text)
                    if key in signed:
                        raise _malformed(f"{key.name} signed twice", f"{key.name} 重复签名")
                    signed.append(key)
        if not signed:
            raise self._unsigned(keys)
        return tuple(signed)

    def _unsigned(self, keys: Sequence[VerifierKey]) -> NoteError:
        shown = self.signatures[:_SHOWN_NAMES]
        names = ", ".join(f"{signature.name[:_SHOWN_CHARACTERS]}+{signature.key_id.hex()}" for signature in shown)
        more = "" if len(shown) == len(self.signatures) else ", …"
        named = {key.name for key in keys}
        rotated = any(signature.name in named for signature in self.signatures)
        hint, hint_zh = ("; or that key was rotated", "；该密钥也可能已经更换") if rotated else ("", "")
        return NoteError(
            f"no trusted key signed this note (signed by: {names}{more}); "
            f"check that you were given the right verifier key{hint}",
            f"没有受信任的密钥签署该文（签署者：{names}{more}）；请核对所持验证公钥是否正确{hint_zh}",
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: origin, size (number of entries) and root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The note text. Extension lines are never written: monitors cannot audit them."""
        return b"%s\n%d\n%s\n" % (self.origin.encode(), self.size, base64.b64encode(self.root))

    def sign(self, *signers: Signer) -> bytes:
        """The signed checkpoint, as bytes to store and to publish; several keys sign where one follows another."""
        text = self.text()
        return text + b"\n" + b"".join(signer.signature_line(text) for signer in signers)

    @classmethod
    def parse_text(cls, text: bytes) -> Checkpoint:
        """Read a checkpoint's note text.

        Raises:
            NoteError: an origin, size or root out of form, or extension lines, which our logs never write.
        """
        lines = text.split(b"\n")
        if len(lines) != 4 or lines[3]:
            raise _malformed("a checkpoint here has three lines: origin, size, root", "检查点应为三行：来源、大小、根")
        try:
            origin = lines[0].decode()
        except UnicodeDecodeError as error:
            raise _malformed("the origin is not valid UTF-8", "来源不是有效的 UTF-8") from error
        check_name(origin)
        root = decode_base64(lines[2], "root hash")
        if len(root) != HASH_BYTES:
            raise _malformed(f"a root of {len(root)} bytes, want {HASH_BYTES}", f"根应为 {HASH_BYTES} 字节")
        return cls(origin, parse_size(lines[1]), root)


def open_checkpoint(data: bytes, key: VerifierKey) -> Checkpoint:
    """Read a signed checkpoint and verify that ``key`` signed it for the log of ``key``'s own name.

    Raises:
        NoteError: malformed, not signed by ``key``, or of another log.
    """
    note = Note.parse(data)
    note.verify([key])
    checkpoint = Checkpoint.parse_text(note.text)
    if checkpoint.origin != key.name:
        raise NoteError(
            f"the checkpoint is of log {checkpoint.origin[:_SHOWN_CHARACTERS]!r}, the key of {key.name!r}",
            f"检查点属于日志 {checkpoint.origin[:_SHOWN_CHARACTERS]!r}，而公钥属于 {key.name!r}",
        )
    return checkpoint


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A C2SP tlog-proof: an entry's index, its inclusion proof, and the signed checkpoint it leads to."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def to_bytes(self) -> bytes:
        lines = [PROOF_HEADER, b"index %d" % self.index, *map(base64.b64encode, self.hashes)]
        return b"\n".join(lines) + b"\n\n" + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a tlog-proof; ``extra`` lines are accepted and dropped, since nothing authenticates them.

        Raises:
            NoteError: malformed.
        """
        head, separator, checkpoint = data.partition(b"\n\n")
        lines = head.split(b"\n")
        if not separator or lines[0] != PROOF_HEADER:
            raise _malformed(f"a proof begins with {PROOF_HEADER.decode()}", f"证明应以 {PROOF_HEADER.decode()} 开头")
        del lines[0]
        if lines and lines[0].startswith(b"extra "):
            decode_base64(lines.pop(0)[len(b"extra ") :], "extra data")
        if not lines or not lines[0].startswith(b"index "):
            raise _malformed("the proof has no index line", "证明缺少 index 行")
        index = parse_size(lines.pop(0)[len(b"index ") :])
        if len(lines) > MAX_PROOF_HASHES:
            raise _malformed(f"{len(lines)} proof hashes", f"证明哈希多达 {len(lines)} 个")
        hashes = tuple(decode_base64(line, "proof hash") for line in lines)
        if any(len(value) != HASH_BYTES for value in hashes):
            raise _malformed(f"proof hashes have {HASH_BYTES} bytes", f"证明哈希应为 {HASH_BYTES} 字节")
        Note.parse(checkpoint)
        return cls(index, hashes, checkpoint)

    def verify(self, entry: bytes, key: VerifierKey) -> Checkpoint:
        """Raise unless ``entry``, as exact bytes, is at :attr:`index` of the log whose key is ``key``.

        Returns:
            The verified checkpoint.

        Raises:
            NoteError: the checkpoint is malformed or not signed by ``key``.
            ProofError: the proof does not lead from the entry to the checkpoint's root.
        """
        checkpoint = open_checkpoint(self.checkpoint, key)
        check_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint


def vkey_parts(text: str, signature_type: int, want_en: str, want_zh: str) -> tuple[str, str, bytes]:
    """Split a vkey into name, key id (8 hex digits) and Ed25519 public key; the caller checks the id.

    Raises:
        NoteError: not of the form, or of another signature type than ``signature_type``.
    """
    match = _VKEY.fullmatch(text)
    if match is None:
        raise NoteError(
            f"{text[:80]!r} is not a verifier key; want name+keyid+base64, as `liandong ledger vkey` prints it",
            f"{text[:80]!r} 不是验证公钥；应为“名称+编号+base64”，即 `liandong ledger vkey` 所印的一行",
        )
    check_name(match["name"])
    raw = decode_base64(match["key"].encode(), "verifier key")
    if len(raw) != 1 + HASH_BYTES or raw[0] != signature_type:
        raise NoteError(
            f"{text[:80]!r} is not {want_en} over Ed25519 (32 bytes)",
            f"{text[:80]!r} 不是 Ed25519 的{want_zh}（32 字节）",
        )
    return match["name"], match["id"], raw[1:]


def check_name(name: str) -> None:
    """Raise unless ``name`` may name a key or a log: not empty, no Unicode space, plus or control character.

    Lone surrogates, which a command line makes of bytes that are not UTF-8, cannot be encoded and are refused too.
    """
    if not name or any(
        character == "+" or character.isspace() or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp", "Zs")
        for character in name
    ):
        raise NoteError(
            f"{name[:80]!r} cannot name a log or key: no spaces, no '+', not empty; "
            "use a form like example.gov.cn/liandong/county",
            f"{name[:80]!r} 不能作日志或密钥名称：不得为空、不得含空格或“+”；"
            "可用 example.gov.cn/liandong/county 的形式",
        )


def parse_size(text: bytes) -> int:
    """Read a decimal size: ASCII digits, no sign, no leading zero, below 2^63."""
    if len(text) > 19 or not _SIZE.fullmatch(text) or int(text) >= _MAX_SIZE:
        raise _malformed(
            f"size {text[:40]!r} is not a plain decimal below 2^63",
            f"大小 {text[:40]!r} 不是小于 2^63 的十进制数",
        )
    return int(text)


def decode_base64(text: bytes, what: str) -> bytes:
    """Decode standard base64 that re-encodes to itself: no junk, no missing padding, no stray bits."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed(f"{what}: not base64", f"{what}：不是 base64") from error
    if base64.b64encode(raw) != text:
        raise _malformed(f"{what}: base64 that is not canonical", f"{what}：base64 写法不规范")
    return raw


def _parse_signature(line: bytes) -> Signature:
    if not line.startswith(_SIGNATURE_PREFIX):
        raise _malformed("a signature line begins with an em dash and a space", "签名行应以破折号“—”和空格开头")
    name, separator, payload = line[len(_SIGNATURE_PREFIX) :].partition(b" ")
    if not separator:
        raise _malformed("a signature line has a name and a signature", "签名行应有名称和签名")
    check_name(name.decode())
    raw = decode_base64(payload, "signature")
    if len(raw) < 5:
        raise _malformed("a signature of less than 5 bytes", "签名不足 5 字节")
    return Signature(name.decode(), raw[:4], raw[4:])


def _malformed(en: str, zh: str) -> NoteError:
    return NoteError(
        f"malformed: {en}; the file was damaged or is of another format",
        f"格式不符：{zh}；文件已损坏或属于其他格式",
    )
