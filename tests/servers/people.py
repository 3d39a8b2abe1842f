"""The people whom the sample directories hold: few, but with everything that real names and addresses have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Person:
    """``emails`` begins with the primary address; ``password`` is what they type."""

    uid: str
    given_name: str
    surname: str
    emails: tuple[str, ...]
    groups: tuple[str, ...] = ("staff",)

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.surname}"

    @property
    def password(self) -> str:
        return f"{self.uid} knows ä secret"


def _one(uid: str, given_name: str, surname: str, **rest: tuple[str, ...]) -> Person:
    return Person(uid, given_name, surname, **{"emails": (f"{uid}@example.org",), **rest})


PEOPLE: Final = (
    _one("alice", "Alice", "Archer", emails=("alice@example.org", "a.archer@example.org", "alice@example.net")),
    _one("bob", "Bob", "Baker", emails=("bob@example.org", "b.baker@example.org"), groups=("staff", "admins")),
    _one("carol", "Carol", "Carter", emails=()),
    _one("dörte", "Dörte", "Müller-Lüdenscheidt", emails=("doerte@example.org",)),
    _one("zoe", "Zoë", "Østergård"),
    _one("jose", "José", "Núñez", emails=("jose@example.org", "jose.nunez@example.org")),
    # The same accent as two code points.
    _one("rene", "Rene\u0301", "Lefe\u0300vre"),
    _one("李雷", "雷", "李", emails=("li.lei@example.org",)),
    _one("yuki", "雪", "佐藤"),
    _one("olga", "Ольга", "Иванова"),
    _one("ahmad", "أحمد", "حسن"),
    _one("noa", "נועה", "כהן"),
    _one("sunil", "सुनील", "शर्मा"),
    _one("eleni", "Ελένη", "Παπαδοπούλου"),
    _one("istvan", "István", "Őrségi"),
    _one("isik", "Işık", "İnönü"),
    _one("strasse", "Karl", "Großstraße"),
    _one("emoji", "Smiley 😀", "Face"),
    _one("smith.john", "John", "Smith, Jr."),
    _one("o'brien", "Conan", "O'Brien", emails=("conan@example.org",)),
    _one("star*", "Star (the) *", "Wild\\card", emails=("star@example.org",)),
    _one("plus+minus", "Plus", "A+B=C; #1", emails=("plus+minus@example.org",)),
    _one("quote", 'The "Quoted"', "<Name>"),
    _one("two words", "Two", "Words", emails=("two.words@example.org",)),
    _one("UPPER", "Upper", "Case", emails=("Upper.Case@Example.ORG",)),
    _one("12345", "Number", "Only"),
    _one("null", "Null", "Null"),
    _one("erin", "Erin", "External", groups=("external",)),
    _one("frank", "Frank", "External", groups=("external",)),
    _one("lonely", "Lonely", "Nogroup", groups=()),
)

GROUPS: Final = ("staff", "admins", "external")
