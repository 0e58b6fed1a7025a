"""Judges every text that a real gateway sends a StreamClient by the schemas of the AsyncAPI document.

The document is made from the schemas that the server runs; a test of the repository keeps the two equal. Bad case: a
client that got no text; whoever asks for the count sees it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alphapulse.stream import StreamClient
from jsonschema import Draft7Validator
from websockets.asyncio.client import ClientConnection

DOCUMENT = Path(__file__).parents[2] / "src" / "wire" / "asyncapi.json"
MESSAGES: dict[str, dict[str, Any]] = json.loads(DOCUMENT.read_bytes())["components"]["messages"]
VALIDATORS = {
    name: Draft7Validator(message["payload"])
    for name, message in MESSAGES.items()
    if not name.startswith("request_") and name != "binaryFrame"
}


def fault_of(text: str) -> str | None:
    """What is wrong with a text message of a server; None when nothing is."""
    message = json.loads(text)
    validator = VALIDATORS.get(message.get("type"))
    if validator is None:
        return f"no message has the type {message.get('type')!r}"
    return next((f"{error.json_path}: {error.message}" for error in validator.iter_errors(message)), None)


class WitnessClient(StreamClient):
    """A StreamClient that raises AssertionError at a text which is against the schemas."""

    texts = 0

    async def _content(self, socket: ClientConnection) -> str | bytes | None:
        content = await super()._content(socket)
        if isinstance(content, str):
            self.texts += 1
            assert fault_of(content) is None, f"{fault_of(content)} in {content[:400]}"
        return content
