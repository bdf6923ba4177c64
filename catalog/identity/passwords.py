"""Passwords: how they are stored (scrypt), which ones an officer may choose, and one-time ones."""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from catalog.errors import RequestError

MIN_LENGTH = 12
#: A passphrase in Chinese says as much in fewer characters.
MIN_HAN_LENGTH = 8
MAX_LENGTH = 200
#: What must be left of a password when everything that guessers try first is taken away.
_MIN_OWN = 6

_SCRYPT = {"n": 2**15, "r": 8, "p": 1}
_HASH_BYTES = 32
#: A stored password that nothing matches: what an unknown login is checked against, for the same work.
NOBODY = f"scrypt${'A' * 22}==${'A' * 43}="
#: Neither 0 and O nor 1, l and i: it is read from paper and typed.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


class PasswordError(RequestError):
    """A new password that may not be chosen: 422."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(422, en, zh)


# -- storing ----------


def normal(password: str) -> str:
    """The one spelling of a password, whichever keyboard typed it. Source: RFC 8265 §4.2 (OpaqueString)."""
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced)


def hash_password(password: str, salt: bytes) -> str:
    """``scrypt$salt$hash`` with base64 parts. Parameters: n=2^15, r=8, p=1 (32 MiB, about 0.1 s on purpose)."""
    derived = Scrypt(salt=salt, length=_HASH_BYTES, **_SCRYPT).derive(normal(password).encode())
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def check_password(password: str, stored: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made from. Takes about 0.1 s of CPU on purpose."""
    salt = base64.b64decode(stored.split("$")[1])
    return hmac.compare_digest(hash_password(password, salt), stored)


# -- one-time passwords ----------


def one_time(random: Callable[[int], bytes]) -> str:
    """A random password of 79 bits in four groups, to be read out or handed over on paper, and changed at first use."""
    value = int.from_bytes(random(20), "big")  # twice as much as is taken: no letter is likelier than another
    letters = ""
    for _ in range(16):
        value, place = divmod(value, len(_ALPHABET))
        letters += _ALPHABET[place]
    return "-".join(re.findall("....", letters))


# -- choosing ----------


def check_choice(password: str, login: str) -> None:
    """Raise unless an officer may choose ``password``: long enough, and not among what is guessed first.

    Raises:
        PasswordError: what is wrong and how to choose better.
    """
    text = normal(password)
    han = sum("\u3400" <= char <= "\u9fff" for char in text)
    if len(text) < MIN_LENGTH and han < MIN_HAN_LENGTH:
        raise PasswordError(
            f"the password has {len(text)} characters; take {MIN_LENGTH} or more, a few unrelated words are easiest to "
            "remember",
            f"密码只有 {len(text)} 个字符；至少 {MIN_LENGTH} 个字符，或不少于 {MIN_HAN_LENGTH} 个汉字的一句话，"
            "几个互不相干的词最好记",
        )
    if len(text) > MAX_LENGTH or any(unicodedata.category(char) == "Cc" for char in text):
        raise PasswordError(
            f"the password is over {MAX_LENGTH} characters or contains control characters; choose another",
            f"密码超过 {MAX_LENGTH} 个字符或含有控制字符；请另选",
        )
    if login.casefold() in text.casefold():
        raise PasswordError(
            "the password contains the user name; choose one without it", "密码中含有用户名；请另选不含用户名的密码"
        )
    if len(_own(text.casefold())) < _MIN_OWN:
        raise PasswordError(
            "the password is made of what guessers try first (common words, rows of keys, numbers in order, "
            "repetitions); take a few unrelated words",
            "密码由最常被猜到的内容组成（常用词、键盘顺序、连续数字、重复字符）；请用几个互不相干的词",
        )


#: Parts of the commonest passwords, longest first; from public lists of leaked ones and habits here.
_COMMON = sorted(
    """
    password passw0rd p@ssw0rd p@ssword pass mima admin administrator root user guest welcome letmein login test temp
    qwertyuiop qwerty asdfghjkl asdfgh asdf zxcvbnm zxcvbn zxcv zaq12wsx 1qaz 2wsx 3edc cde3 4rfv q1w2e3r4t5y6 q1w2e3r4
    q1w2e3 qazwsx iloveyou monkey dragon woaini wodemima aini 5201314 1314520 1314 520 888 666 147258369 147258 159357
    789456123 112233 123321 abc123 abcd abc liandong zhifa xingzheng changeme default summer winter football baseball
    sunshine princess master hello 密码 口令 我爱你 我爱北京天安门 管理员 联动 执法 123 321
    """.split(),  # noqa: SIM905 - a list of words is read best as words
    key=len,
    reverse=True,
)


def _own(text: str) -> str:
    """``text`` without common parts, without years, without repetitions and runs (aaaa, abcd, 4321)."""
    for part in _COMMON:
        text = text.replace(part, "")
    text = re.sub(r"(?:19|20)\d\d", "", text)
    kept = text[:1]
    for before, char in pairwise(text):
        if abs(ord(char) - ord(before)) > 1:
            kept += char
    return kept if len(set(kept)) > len(kept) // 3 else kept[: len(set(kept))]
