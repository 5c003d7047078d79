"""What a check is: a name, a state, a sentence and what to do; and what all checks of a project look at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...engine.errors import PdbtError
from ...engine.process.identity import Instance, find_instance
from ...engine.process.libraries import is_installed
from ...engine.process.place import FolderPlace, InstancePlace, Place
from ...engine.settings import Settings, load_settings

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Check:
    """One line of the doctor.

    Attributes:
        name: what was looked at.
        state: ``ok``; ``warning``, what one should know and nothing must be done about; or ``error``, what needs a hand.
        text: what was found, in a sentence.
        hint: what to do about it; empty when nothing is to be done.
    """

    name: str
    state: str
    text: str
    hint: str = ""


class Patient:
    """A project that is looked at; what several checks need is found out once, and nothing of it is changed.

    Attributes:
        home: its folder, absolute.
        settings: its settings; None when they are at fault.
        fault: what is wrong with them; None when nothing is.
    """

    def __init__(self, home: Path) -> None:
        """Read the settings; a fault of theirs is kept, for there are checks that can be made without."""
        self.home = home.resolve()
        self.settings: Settings | None = None
        self.fault: PdbtError | None = None
        try:
            self.settings = load_settings(self.home)
        except PdbtError as error:
            self.fault = error

    @property
    def name(self) -> str:
        """What the project is called."""
        return self.settings.name if self.settings is not None else self.home.name

    @property
    def place(self) -> InstancePlace:
        """Where its own Dagster lives."""
        return Place(self.settings) if self.settings is not None else FolderPlace(self.home)

    @functools.cached_property
    def instance(self) -> Instance:
        """The processes of its own Dagster as they are now; none where there is no library to find them."""
        return find_instance(self.place) if is_installed("psutil") else Instance(None, None, ())

    def redact(self, text: str) -> str:
        """Return a text without the secrets of the project."""
        return self.place.redact(text)


Examine = Callable[[Patient], Iterable[Check]]
