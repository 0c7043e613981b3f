"""The one error a user meets: what is wrong, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GnnmatError(Exception):
    """A mistake a user can mend.

    Args:
        what: what is wrong, with the value and the place.
        why: the reason, or what was expected and what was found.
        fix: what to do about it.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why, fix)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(self.why)
        if self.fix:
            lines.append(f"Fix: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments do not pickle by themselves, and
        # this one comes back from worker processes.
        return (_rebuild, (type(self), self.what, self.why, self.fix))

    @property
    def sentence(self) -> str:
        """The message on one line, for tables such as ``refused.csv``."""
        fix = f"Fix: {self.fix}" if self.fix else ""
        return " ".join(part.strip() for part in (self.what, self.why, fix) if part)


class GnnmatWarning(UserWarning):
    """Something that a user should know of an answer that is given nevertheless."""


def _rebuild(kind: type[GnnmatError], what: str, why: str, fix: str) -> GnnmatError:
    return kind(what, why=why, fix=fix)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the closest option, or the list of options."""
    known = sorted(str(option) for option in options)
    return closest(name, known) or (f"Known: {', '.join(known)}." if known else "")


def closest(name: str, options: Iterable[str]) -> str:
    """``Did you mean 'x'?``, or nothing, for errors that list the options themselves."""
    known = {str(option).lower(): str(option) for option in sorted(map(str, options))}
    close = get_close_matches(str(name).lower(), known, n=1, cutoff=0.6)
    return f"Did you mean '{known[close[0]]}'?" if close else ""
