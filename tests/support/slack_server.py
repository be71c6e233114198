"""A local stand-in for Slack's incoming webhooks that keeps the published limits and gives the published errors.

Sources: docs.slack.dev, "Sending messages using incoming webhooks" (errors as a status and one word of text), "Rate limits" (429 with
Retry-After), "Blocks" (limits of each block), "Formatting message text" (escaping). No real Slack has seen what is tested with it.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.web_server import Asked, Reply, WebServer

BLOCKS = {"header", "section", "context", "divider", "image"}


@dataclass
class SlackServer(WebServer):
    """`answers` come first (status and word), then every payload is judged. What was taken is in `posted`."""

    path: str = "/services/T000/B000/T0KEN"
    answers: list[Reply] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def judge(self, asked: Asked) -> Reply:
        if self.answers:
            return self.answers.pop(0)
        if asked.path != self.path:
            return said(404, "no_service")
        if asked.method != "POST" or not asked.headers["content-type"].startswith("application/json"):
            return said(400, "invalid_payload")
        try:
            payload = json.loads(asked.body)
        except ValueError:
            return said(400, "invalid_payload")
        fault = fault_of(payload)
        if fault is None:
            self.posted.append(payload)
        return said(200, "ok") if fault is None else said(400, fault)


def said(status: int, word: str, **headers: str) -> Reply:
    return status, {"Content-Type": "text/plain", **headers}, word.encode()


def fault_of(payload: Any) -> str | None:
    """Slack's word for what is wrong with a payload."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    blocks = payload.get("blocks", [])
    if not payload.get("text") and not blocks:
        return "no_text"
    if len(payload.get("text", "")) > 40_000:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > 50 or not all(map(_is_block, blocks)):
        return "invalid_blocks"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    return None if len(ids) == len(set(ids)) else "invalid_blocks"


def _is_block(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in BLOCKS:
        return False
    if block["type"] == "header":
        return _is_text(block.get("text"), 150, ("plain_text",))
    if block["type"] == "section":
        fields = block.get("fields", [])
        text = "text" not in block or _is_text(block["text"], 3000)
        return ("text" in block or bool(fields)) and text and len(fields) <= 10 and all(_is_text(field, 2000) for field in fields)
    if block["type"] == "context":
        elements = block.get("elements", [])
        return 1 <= len(elements) <= 10 and all(_is_text(element, 3000) for element in elements)
    return True


def _is_text(text: Any, longest: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> bool:
    if not isinstance(text, dict) or text.get("type") not in kinds or not 1 <= len(text.get("text", "")) <= longest:
        return False
    return set(text) <= ({"type", "text", "emoji"} if text["type"] == "plain_text" else {"type", "text", "verbatim"})


def obeyed(payload: dict[str, Any]) -> list[str]:
    """What Slack would read as more than text: <...> in mrkdwn (links, mentions, channels), and in the text of the notification."""
    texts = [payload.get("text", "")]
    texts += [part["text"] for part in _parts(payload.get("blocks", [])) if part.get("type") == "mrkdwn"]
    return [found for text in texts for found in re.findall(r"<[^>]*>", text)]


def styled(payload: dict[str, Any]) -> list[str]:
    """The mrkdwn texts, where * _ ~ and ` are obeyed."""
    return [part["text"] for part in _parts(payload.get("blocks", [])) if part.get("type") == "mrkdwn"]


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(part for item in value.values() for part in _parts(item))]
    return [part for item in value for part in _parts(item)] if isinstance(value, list) else []
