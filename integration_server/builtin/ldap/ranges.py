"""Range retrieval (MS-ADTS §3.1.1.3.1.3.3): the rest of attributes of which a server gives so many values at a time.

Active Directory does so beyond 1,500 values of one attribute, such as the members of a large group.
"""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Deadline, IncompleteListing
from integration_server.builtin.ldap import messages
from integration_server.builtin.ldap.entries import EntryDecoder, Portion, Row
from integration_server.builtin.ldap.messages import Result, Scope, Search, present
from integration_server.builtin.ldap.results import NO_SUCH_OBJECT, SUCCESS, failure
from integration_server.builtin.ldap.values import several
from integration_server.builtin.ldap.wire import Wire

#: Servers give a thousand values or more at a time; after so many portions it is one that never comes to an end.
_MOST_PORTIONS = 20_000
#: What Active Directory answers to a range that begins behind the last value (operationsError).
_OUT_OF_RANGE = 1
#: How often an attribute is read from its beginning, as it may change while we read.
_TRIES = 3


def complete(wire: Wire, portions: Sequence[Portion], deadline: Deadline) -> None:
    """Read what the portions lack and put the values into their rows, behind those that are there. No search may be
    under way on the connection.

    Raises IncompleteListing where that cannot be done: an entry vanished, or portions do not fit together; other
    BackendErrors.
    """
    for portion in portions:
        values = _all_values(wire, portion, deadline)
        for column in portion.columns:
            whole = [*several(portion.row[column]), *values]
            portion.row[column] = whole if len(whole) > 1 else whole[0] if whole else None


def _all_values(wire: Wire, first: Portion, deadline: Deadline) -> list[object]:
    attribute = _Attribute(wire, first, deadline)
    found = attribute.rest(first)
    for _ in range(_TRIES - 1):
        if found is not None:
            break
        found = attribute.rest(attribute.portion(0))
    if found is None:
        raise IncompleteListing(f"{attribute.doing}: they do not stay in their places while they are read")
    return found


class _Attribute:
    """The attribute of one entry that the server gives in portions."""

    def __init__(self, wire: Wire, first: Portion, deadline: Deadline) -> None:
        self._wire = wire
        self._name = first.name
        self._deadline = deadline
        try:
            self._dn = first.dn.decode()
        except UnicodeDecodeError as exc:
            raise IncompleteListing(f"{wire.server}: the name of {first.dn!r} is no UTF-8, so no more is read") from exc
        self.doing = f"{wire.server}: reading all {first.name} of {self._dn!r}"

    def rest(self, portion: Portion | None) -> list[object] | None:
        """All values, the first of which are in ``portion``; None where they changed meanwhile."""
        if portion is None:
            return None
        if portion.first != 0:
            raise IncompleteListing(f"{self.doing}: they begin with number {portion.first}")
        values = portion.values
        for _ in range(_MOST_PORTIONS):
            if portion.is_last:
                return values
            # Once more the last one that is known: where it is not in its place, values were taken out before it, and
            # as many of the others would be passed by.
            place = max(len(values) - 1, 0)
            portion = self.portion(place)
            if portion is None:
                return None
            if portion.first != place:
                raise IncompleteListing(
                    f"{self.doing}: asked for those from number {place} on, the server gives them from "
                    f"{portion.first} on"
                )
            if portion.values[:1] != values[place:]:
                return None
            if len(portion.values) == 1 and not portion.is_last:
                raise IncompleteListing(f"{self.doing}: there are said to be more, and no more come")
            values += portion.values[1:]
        raise IncompleteListing(f"{self.doing}: they have no end")

    def portion(self, place: int) -> Portion | None:
        """The values from this place on; None where there are none there any more."""
        decoder = EntryDecoder([self._name])
        rows, result = self._answer(decoder, f"{self._name};range={place}-*")
        if result.code == NO_SUCH_OBJECT or (result.code == SUCCESS and not rows):
            raise IncompleteListing(f"{self.doing}: the entry vanished meanwhile")
        if result.code == _OUT_OF_RANGE and place:
            return None
        if result.code != SUCCESS:
            raise IncompleteListing(str(failure(result, self.doing)))
        if len(rows) > 1 or len(decoder.portions) > 1:
            raise IncompleteListing(f"{self.doing}: the server gives several answers")
        if decoder.portions:
            return decoder.portions[0]
        if not place:
            # Whoever asks for a range is answered with one, however few they are.
            raise IncompleteListing(f"{self.doing}: the server does not give those that it announced")
        return None

    def _answer(self, decoder: EntryDecoder, wanted: str) -> tuple[list[Row], Result]:
        rows: list[Row] = []
        search = Search(self._dn, Scope.BASE, present("objectClass"))
        message_id = self._wire.ask(search, [wanted], self._deadline)
        while True:
            message = self._wire.read(message_id, decoder, rows, self._deadline)
            if message is not None and message.kind == messages.SEARCH_DONE:
                return rows, messages.parse_result(message.body)
