"""What JSON and YAML documents have in common once they are read: nested objects."""

from __future__ import annotations

from dataclasses import dataclass, field

from burnish.errors import UsageError


@dataclass
class Object:
    """One object.

    Attributes:
        id: its name.
        level: the outermost has 0.
        path: how a program reaches it, e.g. `obj["subs"][0]`.
        first: its first line, from 0.
        stop: one past its last line.
        attributes: its keys and values, in order.
        children: objects among its `subs` so far.
    """

    id: str
    level: int
    path: str
    first: int
    stop: int = 0
    attributes: list[tuple[str, str]] = field(default_factory=list)
    children: int = 0

    def child_path(self) -> str:
        """The path of its next child."""
        return f'{self.path}["subs"][{self.children}]'


@dataclass(frozen=True)
class Objects:
    """A document that was read: its lines, and its objects in document order."""

    lines: list[str]
    objects: list[Object]

    def with_id(self, name: str) -> Object:
        """The object of that id."""
        for found in self.objects:
            if found.id == name:
                return found
        raise UsageError(f"the text has no object with id {name!r}; ask for one that it has")

    def first_child(self) -> str:
        """Id of the outermost object's first child."""
        if len(self.objects) == 1:
            raise UsageError("the outermost object has no subs to take the first of")
        return self.objects[1].id

    def access_path(self, value: str) -> str:
        """Path to the first attribute with that value; ids are not searched."""
        for found in self.objects:
            for key, held in found.attributes:
                if held == value:
                    return f'{found.path}["{key}"]'
        raise UsageError(f"the text has no value {value!r}; ask for one that it has")

    def deepest(self) -> list[Object]:
        """The objects at the greatest level."""
        height = max(found.level for found in self.objects)
        return [found for found in self.objects if found.level == height]
