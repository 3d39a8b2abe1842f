"""Events by the page: the same events, and the same JSON, as one by one."""

from __future__ import annotations

import pytest

from integration_server import batch_json
from integration_server.sdk.envelopes import batch_envelope, envelope
from integration_server.sdk.stretches import Stretch, page_of
from tests.sdk.test_envelopes import EVENTS


def test_events_of_a_page_are_those_that_it_was_made_of() -> None:
    page = page_of(EVENTS)

    assert page.events == EVENTS
    assert [page.event(place) for place in range(len(EVENTS))] == EVENTS
    assert page.lanes == [event.lane for event in EVENTS]
    assert page.kinds == {event.type for event in EVENTS}
    assert (page.sources, page.writers) == ({"hq", "b-1"}, {None, "sub_x"})


def test_stretch_is_a_sequence_of_events_of_several_pages() -> None:
    stretch = Stretch([(page_of(EVENTS), range(1, 4)), (page_of(EVENTS), [0, 5])])
    expected = [*EVENTS[1:4], EVENTS[0], EVENTS[5]]

    assert list(stretch) == expected
    assert [stretch[place] for place in range(-5, 5)] == expected * 2
    assert list(stretch[1:4]) == expected[1:4]
    assert (len(stretch), stretch.serials) == (5, [2, 3, 4, 1, 6])
    assert stretch.lanes == [event.lane for event in expected]
    with pytest.raises(IndexError):
        stretch[5]


def test_text_of_a_stretch_is_the_envelope_of_a_batch_byte_by_byte() -> None:
    stretch = Stretch([(page_of(EVENTS), range(6)), (page_of(EVENTS), [3])])

    assert batch_json("bat_x", stretch) == batch_json("bat_x", [*EVENTS, EVENTS[3]])
    assert envelope(stretch[0]) == batch_envelope("bat_x", stretch)["data"]["events"][0]


def test_json_of_a_page_is_made_once_for_all_receivers() -> None:
    page = page_of(EVENTS)
    batch_json("bat_x", Stretch([(page, range(2))]))
    texts = page.texts
    batch_json("bat_y", Stretch([(page, range(2, 6))]))

    assert page.texts is texts
