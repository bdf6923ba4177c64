"""Which key signs a log's checkpoint of a given size, where the log's key was rotated. Pure.

How a chain is found from a trusted key and the log's entries is :mod:`ledger.rotation`'s, which knows entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.log.note import Checkpoint, Note, VerifierKey, open_checkpoint


@dataclass(frozen=True, slots=True)
class KeyChain:
    """The log's verifier keys, oldest first.

    Attributes:
        later: for each rotation the size from which on the new key signs, and that key; sizes grow. A key that was
            rotated away signs nothing larger: whoever steals it afterwards can forge no newer checkpoint.
    """

    first: VerifierKey
    later: tuple[tuple[int, VerifierKey], ...] = ()

    @property
    def origin(self) -> str:
        return self.first.name

    @property
    def newest(self) -> VerifierKey:
        return self.later[-1][1] if self.later else self.first

    def at(self, size: int) -> VerifierKey:
        """The key that signs the checkpoint of ``size`` entries."""
        found = self.first
        for begins, key in self.later:
            if size >= begins:
                found = key
        return found

    def open(self, note: bytes) -> Checkpoint:
        """Read a signed checkpoint and verify it with the key of its size.

        Raises:
            NoteError: malformed, not signed by that key, or of another log.
        """
        size = Checkpoint.parse_text(Note.parse(note).text).size  # believed for the choice of key only
        return open_checkpoint(note, self.at(size))
