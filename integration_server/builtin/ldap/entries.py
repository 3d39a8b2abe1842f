"""The lean decoder: SearchResultEntry messages (RFC 4511 §4.5.2) straight into rows of the wanted attributes.

A listing spends its time here, so the loop is written out flat. It stays safe without a check per octet: each level
must end exactly where its own length said, slices never reach past the data, and every turn moves forward.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from integration_server.builtin.ldap.ber import OCTETS, SEQUENCE, SET, Malformed, element, element_at, length_at
from integration_server.builtin.ldap.values import READERS, several, text_or_bytes

Row = list[object]

#: Spellings of attribute names that are remembered; a server uses one or two each.
_MOST_SPELLINGS = 1000
_ENTRY = b"\x64"
_CONTROLS = 0xA0


#: Active Directory's range option (MS-ADTS §3.1.1.3.1.3.3) among others: from which value to which, ``*`` the last.
_RANGE = re.compile(r"range=(\d{1,9})-(\d{1,9}|\*)")


@dataclass(slots=True)
class Portion:
    """Some of an attribute's values, where the server gives them in portions only: those from ``first`` on, from 0.

    ``name`` is the attribute's, of the entry ``dn``; ``is_last`` says that no more follow. ``columns`` of ``row`` wait
    for the values.
    """

    row: Row
    columns: tuple[int, ...]
    dn: bytes
    name: str
    first: int
    is_last: bool
    values: list[object] = field(default_factory=list)


class EntryDecoder:
    """Decodes entries into rows, in the order of ``names``; ``dn`` stands for the entry's distinguished name.

    A value is a str, where an attribute has several a list of str, and None where it has none; bytes that are not
    UTF-8 stay bytes. Values under attribute options (``cn;lang-de``) follow the plain ones, unless the option itself
    was asked for. Values that come in portions are kept out of their row and wait in ``portions``, to be completed and
    put there by ``ranges``. One decoder serves one thread.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.last_dn = b""
        self.portions: list[Portion] = []
        self._width = len(names)
        self._columns: dict[str, int] = {}
        self._copies: list[tuple[int, int]] = []
        self._readers: dict[int, Callable[[bytes], object]] = {}
        for column, name in enumerate(names):
            first = self._columns.setdefault(name.lower(), column)
            if first != column:
                self._copies.append((first, column))
            elif name.lower() in READERS:
                self._readers[column] = READERS[name.lower()]
        self._wanted = tuple(names[column] for name, column in self._columns.items() if name != "dn") or ("1.1",)
        self._dn_column = self._columns.pop("dn", None)
        self._has_more = self._dn_column is not None or bool(self._copies)
        #: Values under options, which follow the plain ones: their column, begin and end.
        self._tagged: list[tuple[int, int, int]] = []
        #: The octets from an attribute's name to the tag of its values, to the column.
        self._spellings: dict[bytes, int] = {}

    def again(self) -> EntryDecoder:
        """Another one for the answers to another question for the same attributes; in other threads, too.

        What is worked out of the names, and what is learnt of the server's spellings, they have together.
        """
        other = object.__new__(EntryDecoder)
        vars(other).update(vars(self))
        other.portions = []
        other._tagged = []
        return other

    @property
    def wanted(self) -> tuple[str, ...]:
        """The attributes to ask the server for; ``1.1`` asks for none (RFC 4511 §4.5.1.8)."""
        return self._wanted

    def take(self, data: bytes, position: int, head: bytes, rows: list[Row]) -> int:
        """Append a row for each whole entry from ``position`` on; return the position of what is something else.

        ``head`` is the encoded message id followed by the entry's tag. Raises Malformed.
        """
        size = len(data)
        try:
            while size - position > 6:
                length = data[position + 1]
                if length < 0x80:
                    begin = position + 2
                elif length == 0x82:
                    length = data[position + 2] << 8 | data[position + 3]
                    begin = position + 4
                else:
                    length, begin = length_at(data, position + 1)
                end = begin + length
                if end > size or data[position] != SEQUENCE or not data.startswith(head, begin):
                    break
                rows.append(self._entry(data, begin + len(head), end))
                position = end
        except IndexError:
            raise Malformed("an entry is cut off") from None
        return position

    def take_body(self, body: bytes, rows: list[Row]) -> None:
        """Append the row of one entry whose contents these are. Raises Malformed."""
        message = element(SEQUENCE, element(_ENTRY[0], body))
        if self.take(message, 0, _ENTRY, rows) != len(message):
            raise Malformed("an entry cannot be read")

    def _entry(self, data: bytes, position: int, message_end: int) -> Row:
        """The entry whose length stands at ``position``, of a message that ends at ``message_end``."""
        row: Row = [None] * self._width
        position, end = self._open(data, position, message_end)
        spellings = self._spellings
        while position < end:
            length = data[position + 1]
            begin = position + 2
            if length >= 0x80:
                length, begin = length_at(data, position + 1)
            attribute_end = begin + length
            values = begin + data[begin + 1] + 3
            column = spellings.get(data[begin:values])
            if column is None or data[position] != SEQUENCE:
                position = self._carefully(row, data, position, end)
                continue
            length = data[values]
            values += 1
            if length >= 0x80:
                length, values = length_at(data, values - 1)
            if values + length != attribute_end:
                raise Malformed("an attribute does not end with its values")
            if length:
                first = values + 2
                length = data[values + 1]
                if length >= 0x80:
                    length, first = length_at(data, values + 1)
                if first + length == attribute_end and data[values] == OCTETS and row[column] is None:
                    try:
                        row[column] = data[first:attribute_end].decode()
                    except UnicodeDecodeError:
                        row[column] = data[first:attribute_end]
                else:
                    self._add(row, column, data, values, attribute_end)
            position = attribute_end
        if position != end:
            raise Malformed("an attribute is longer than its entry")
        if self._has_more or self._tagged:
            self._finish(row, data)
        return row

    def _open(self, data: bytes, position: int, message_end: int) -> tuple[int, int]:
        """Read an entry's name; where its attributes begin and end."""
        length, begin = data[position], position + 1
        if length >= 0x80:
            length, begin = length_at(data, position)
        end = begin + length
        if end != message_end and (end > message_end or data[end] != _CONTROLS):
            raise Malformed("an entry does not end with its message")
        length, position = data[begin + 1], begin + 2
        if length >= 0x80:
            length, position = length_at(data, begin + 1)
        attributes = position + length
        self.last_dn = data[position:attributes]
        length, position = data[attributes + 1], attributes + 2
        if length >= 0x80:
            length, position = length_at(data, attributes + 1)
        if data[begin] != OCTETS or data[attributes] != SEQUENCE or position + length != end:
            raise Malformed("an entry is not made of a name and attributes")
        return position, end

    def _finish(self, row: Row, data: bytes) -> None:
        for column, begin, end in self._tagged:
            self._add(row, column, data, begin, end)
        self._tagged.clear()
        if self._dn_column is not None:
            row[self._dn_column] = text_or_bytes(self.last_dn)
        for source, target in self._copies:
            row[target] = row[source]

    def _carefully(self, row: Row, data: bytes, position: int, end: int) -> int:
        """The attribute at ``position``, whatever way it is written; returns where the next one begins."""
        position, attribute_end = element_at(data, position, end, SEQUENCE)
        name_begin, name_end = element_at(data, position, attribute_end, OCTETS)
        begin, values_end = element_at(data, name_end, attribute_end, SET)
        if values_end != attribute_end:
            raise Malformed("an attribute does not end with its values")
        name = data[name_begin:name_end].decode("ascii", "replace").lower()
        base, _, options = name.partition(";")
        column = self._columns.get(name)
        if column is not None:
            if column not in self._readers and name_begin == position + 2 and len(self._spellings) < _MOST_SPELLINGS:
                self._spellings[data[position : name_end + 1]] = column
            self._add(row, column, data, begin, values_end)
        elif "range=" in options:
            self._take_portion(row, name, data[begin:values_end])
        elif options and (column := self._columns.get(base)) is not None:
            self._tagged.append((column, begin, values_end))
        return attribute_end

    def _take_portion(self, row: Row, name: str, values: bytes) -> None:
        plain = ";".join(option for option in name.split(";") if not option.startswith("range="))
        column = self._columns.get(plain, self._columns.get(plain.partition(";")[0]))
        if column is None:
            return
        ranges = [option for option in name.split(";") if option.startswith("range=")]
        match = _RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
        if match is None:
            raise Malformed(f"the range of {name[:60]!r} cannot be read")
        if any(other.row is row and column in other.columns for other in self.portions[-self._width :]):
            raise Malformed(f"an entry has two portions of {plain[:60]!r}")
        columns = (column, *(target for source, target in self._copies if source == column))
        found: Row = [None] * self._width
        self._add(found, column, values, 0, len(values))
        portion = Portion(
            row, columns, self.last_dn, plain, int(match[1]), match[2] == "*", list(several(found[column]))
        )
        if not portion.is_last and int(match[2]) - portion.first + 1 != len(portion.values):
            raise Malformed(f"{name[:60]!r} holds {len(portion.values)} values")
        self.portions.append(portion)

    def _add(self, row: Row, column: int, data: bytes, position: int, end: int) -> None:
        """Add the values between ``position`` and ``end`` to those that the row has in this column."""
        found = row[column]
        values = [] if found is None else found if isinstance(found, list) else [found]
        read = self._readers.get(column, text_or_bytes)
        while position < end:
            if data[position] != OCTETS:
                raise Malformed("a value is no octet string")
            length, begin = length_at(data, position + 1)
            position = begin + length
            values.append(read(data[begin:position]))
        if position != end:
            raise Malformed("a value is longer than its attribute")
        if values:
            row[column] = values if len(values) > 1 else values[0]
