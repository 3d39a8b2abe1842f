"""When one connection is enough for a receiver."""

from __future__ import annotations

import random
from typing import cast

import pytest

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.route import Route
from integration_server.sdk.consumers import Consumer
from tests.forwarding.receivers import subscription


@pytest.fixture
def route() -> Route:
    one = subscription("sub")
    flow = Flow(one, Health(one, 3600.0, random.Random(1).random), 4, random.Random(1).random)
    return Route(one, flow, cast(Consumer, None), 20.0)


def tried(route: Route, making: float, idle: float) -> Route:
    for _ in range(200):
        route.note(making, idle)
    return route


def test_receiver_of_whom_nothing_is_known_is_not_quick(route: Route) -> None:
    assert not route.is_quick


def test_receiver_that_answers_before_another_thread_could_begin_is_quick(route: Route) -> None:
    assert tried(route, 0.000_01, 0.000_1).is_quick
    assert not tried(route, 0.000_01, 0.000_2).is_quick


def test_receiver_that_answers_while_the_next_parcel_is_made_ready_is_quick(route: Route) -> None:
    """A batch takes longer to make than one event, and its receiver longer to take."""
    assert tried(route, 0.000_3, 0.000_5).is_quick
    assert not tried(route, 0.000_3, 0.000_7).is_quick


def test_receiver_that_becomes_slow_is_quick_no_more(route: Route) -> None:
    tried(route, 0.000_05, 0.000_01)
    route.note(0.000_05, 2.0)

    assert not route.is_quick
