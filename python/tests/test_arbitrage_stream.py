"""The channel `arbitrage` in the stream client: subscribed without instruments, told as events, damage noticed."""

from __future__ import annotations

import json

import pytest

from alphapulse.stream import OpportunitiesEvent, OpportunityEvent
from alphapulse.stream_session import StreamSession
from alphapulse.stream_state import ConnectionFaultError, Subscription

OPPORTUNITY = {"id": 4, "kind": "cross", "profit": "193.61474", "currency": "USD", "legs": []}


def session() -> StreamSession:
    ours = StreamSession()
    ours.opened()
    return ours


def test_subscription_names_no_instruments() -> None:
    (text,) = session().subscribe(Subscription(("arbitrage",), ()))
    message = json.loads(text)
    assert message["channels"] == ["arbitrage"]
    assert not message.get("instruments")


def test_messages_become_events() -> None:
    ours = session()
    acknowledged = {"type": "subscribed", "id": 1, "channel": "arbitrage"}
    closed = {"reason": "stale", "atMs": 2.5, "opportunity": OPPORTUNITY}
    listed = {"type": "opportunities", "atMs": 1, "openCount": 1, "open": [OPPORTUNITY], "recent": [closed]}
    told = {"type": "opportunity", "event": "closed", "reason": "prices", "atMs": 7.25, "opportunity": OPPORTUNITY}
    events = [event for message in (acknowledged, listed, told) for event in ours.receive(json.dumps(message), 0.0)]
    assert events == [
        OpportunitiesEvent((OPPORTUNITY,), (closed,)),
        OpportunityEvent("closed", "prices", 7.25, OPPORTUNITY),
    ]


def test_damaged_messages_cost_the_connection() -> None:
    with pytest.raises(ConnectionFaultError):
        list(session().receive('{"type":"opportunity","event":"opened","reason":"none","atMs":1}', 0.0))
