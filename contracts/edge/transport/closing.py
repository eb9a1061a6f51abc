"""What readers, writers and admins of every log share: `with` closes them."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Used in a `with`, it is closed at the end."""

    @abstractmethod
    def close(self) -> None:
        """Give back files and connections. Twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
