"""Masking: every form of a secret goes, ordinary texts stay as they are, and no text takes long."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from polyreel.core.masking import MASK, Redactor, is_secret_name

HIDDEN = "abcdef0123"
LOGIN = base64.b64encode(b"me:s3cret").decode()
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
MEDIA = bytes(range(256)) * 8

MASKED = [
    # addresses
    ("https://me:abcdef0123@host.example/a.mp4", f"https://{MASK}@host.example/a.mp4"),
    ("https://me:abc/def0123@host.example/a.mp4", f"https://{MASK}@host.example/a.mp4"),
    ("https://me:ab/c@de/f@host.example/a", f"https://{MASK}@host.example/a"),
    ("https://me:ab?cd#ef@host.example/a", f"https://{MASK}@host.example/a"),
    ("redis://a:abc@one,redis://b:def@two/0", f"redis://{MASK}@one,redis://{MASK}@two/0"),
    ("https://host/a.mp4?X-Amz-Signature=abcdef0123", f"https://host/a.mp4?{MASK}"),
    (r"https:\/\/host\/a.mp4?sig=abcdef0123", rf"https:\/\/host\/a.mp4?{MASK}"),
    ("GET /clip.mp4?sig=abcdef0123 failed", f"GET /clip.mp4?{MASK} failed"),
    ("the query ?X-Amz-Signature=abcdef0123 is stale", f"the query ?{MASK} is stale"),
    ("host/a.mp4?Expires=1&Signature=abcdef0123", f"host/a.mp4?{MASK}"),
    ("&sig=abcdef0123&x=1", f"&sig={MASK}&x=1"),
    ("https%3A%2F%2Fh%2Fa%3Fsig%3Dabcdef0123", f"https%3A%2F%2Fh%2Fa%3Fsig%3D{MASK}"),
    ("//me:abcdef0123@host/a", f"//{MASK}@host/a"),
    # headers
    ("Bearer abcdef0123", f"Bearer {MASK}"),
    ("sent bearer abcdef0123.", f"sent bearer {MASK}"),
    (f"Basic {LOGIN} was refused", f"Basic {MASK} was refused"),
    ("Authorization: Token abcdef0123", f"Authorization: {MASK}"),
    ("('Authorization', 'Bearer abcdef0123')", f"('Authorization', {MASK})"),
    ("[(b'authorization', b'Bearer abcdef0123')]", "[(<bytes>, <bytes>)]"),
    ('["x-api-key", "abcdef0123"], ["a", "b"]', f'["x-api-key", {MASK}], ["a", "b"]'),
    ("{'x-api-key': 'abcdef0123', 'a': 1}", f"{{'x-api-key': {MASK}, 'a': 1}}"),
    ("Set-Cookie: session=abcdef0123; Path=/", f"Set-Cookie: {MASK}"),
    # names
    (r"{\"api_key\": \"abcdef0123\", \"a\": 1}", rf"{{\"api_key\": {MASK}, \"a\": 1}}"),
    ("password='ab\\'cdef0123' x", f"password={MASK} x"),
    ("password: swordfish was refused", f"password: {MASK} was refused"),
    ("token: u'se cret' x", f"token: {MASK} x"),
    ("api_keys: ['abc', 'def'], x", f"api_keys: {MASK}], x"),
    ("AccountKey=abcdef0123==;x=1", f"AccountKey={MASK};x=1"),
    # what speaks for itself
    (f"the token {WEB_TOKEN} has expired", f"the token {MASK} has expired"),
    ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- x", f"{MASK} x"),
    # media
    (f"got {MEDIA[:20]!r} back", "got <bytes> back"),
    (f"got {MEDIA!r}"[:60], "got <bytes>"),
    (json.dumps({"body": repr(MEDIA[:9])}), '{"body": "<bytes>"}'),
    (repr("\0\1" * 9), "'<bytes>'"),
    ("data:image/png;base64,iVBORw0KGgo= x", f"data:image/png;base64,{MASK} x"),
    (f"{base64.b64encode(MEDIA).decode()} x", f"<{len(base64.b64encode(MEDIA))} characters> x"),
    (base64.encodebytes(MEDIA).decode() + ".", "<base64>\n."),
    (f"{MEDIA.hex()} x", f"<{len(MEDIA) * 2} characters> x"),
]


@pytest.mark.parametrize(("text", "shown"), MASKED, ids=range(len(MASKED)))
def test_secrets_and_media_are_masked_and_the_rest_can_be_read(text: str, shown: str) -> None:
    redactor = Redactor()
    said = redactor(text)
    assert said == shown
    assert redactor(said) == said


STAYS = [
    "the filter can't be read at column 7: expected a value after '==' (token == ▸year)",
    "token == 3",
    'token == "x" and secret != 3 or password >= 2',
    '{"token": {"==": 3}}',
    "there is no field 'token'; did you mean 'tokens'?",
    "declared fields: ['token', 'year']",
    "there is no file token.mp4",
    "/videos/secret_garden.mp4: there is no video stream",
    "/videos/password reset.mp4",
    "unexpected token: expected a number",
    "signature: none",
    '{"total_tokens": 512, "tokens": 3}',
    "max_tokens=512",
    "Basic training, part 2",
    "Basic cooking-for-two.mp4",
    "Basic lighting, Basic knitting, Basic drawing, Basic photography, Basic swimming",
    "the token: can't be read",
    "the bearer of good news",
    "Bearer authentication is not offered",
    "12:30",
    "me@home.example",
    "clip@2x.mp4",
    "file:///videos/a%20b.mp4",
    "http://localhost:9000/bucket/me@home.mp4",
    "http://[::1]:9000/bucket/me@home.mp4",
    "https://host.example:8443/a/b.mp4",
    "s3://bucket/raw/2020/a.mp4",
    "clip?.mp4 and *.m?v match nothing",
    "really? yes=no",
    "['a', 'b', 'c']",
    '["a", "b", "c"]',
    "plan b's first line",
    "metadata:1,2,3",
    "3f5a" * 16,
    "\n".join(["3f5a" * 16] * 5),
    "a" * 255,
    "/videos/" + "/".join(["holiday"] * 40),
    "视频检索" * 100,
    "",
]


@pytest.mark.parametrize("text", STAYS, ids=range(len(STAYS)))
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert Redactor()(text) == text


SECRET = "pä ss/\"w'o+rd\\&x"
LINES = "-----BEGIN KEY-----\nMIIEvQIBADANBg/kq+hkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7\n-----END KEY-----\n"


@pytest.mark.parametrize("secret", [SECRET, LINES, "plain-secret"], ids=["signs", "lines", "plain"])
def test_a_known_secret_is_masked_however_it_is_written(secret: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    data = secret.encode()
    forms = [
        secret,
        repr(secret),
        repr([secret, "'"]),
        repr(data),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps({"said": secret})),
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        base64.b64encode(b"me:" + data).decode(),
        base64.b64encode(b"user:" + data + b":more").decode(),
        base64.b64encode(b"four" + data).decode(),
        data.hex(),
        " ".join(secret.split()),
    ]
    for form in forms:
        said = redactor(f"before {form} after")
        assert MASK in said or "<bytes>" in said
        assert said.startswith("before ")
        assert said.endswith(" after")
        for piece in _pieces(form):
            assert piece not in said, (form, said)


def _pieces(form: str) -> list[str]:
    """What of a form would give the secret away: twelve characters in a row, but for its ends."""
    inner = form[6:-6]
    return [inner[at : at + 12] for at in range(0, max(1, len(inner) - 12), 12) if len(inner) >= 12]


def test_each_line_of_a_known_secret_is_masked_by_itself() -> None:
    redactor = Redactor()
    redactor.learn(LINES)
    assert redactor("line 2 is AASCBKcwggSjAgEAAoIBAQC7") == f"line 2 is {MASK}"


def test_a_name_says_whether_its_value_is_a_secret() -> None:
    assert all(map(is_secret_name, ("api_key", "apiKey", "X-Amz-Signature", "password", "sig", "token")))
    assert not any(map(is_secret_name, ("total_tokens", "key", "design", "title", "keyboard", "author")))


HOSTILE = [
    "a.", "a-", "://", "a://", "://a:@", "//a:", "token", "token=", "token=5:", "token='", 'token="x\\',
    "?a", "?" + "a" * 79, "b'", "b'\\x", "\\x00", "A", "a/", "data:", "data:a/b;x=y;", "Bearer ", "Bearer a",
    "-----BEGIN PRIVATE KEY-----", "eyJ", "eyJaaaaaaaa.", "('Authorization', ", "api_key: ['a',", "'", '"',
    "\\", "=", ":", "%3D", "sig", " ", "\n", "a" * 99 + "\n", "a" * 255 + " ", "cookie='", "aaaaaaa",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=range(len(HOSTILE)))
def test_a_text_four_times_as_long_takes_about_four_times_as_long(piece: str) -> None:
    """In processor time; what is quadratic takes sixteen times as long."""
    redactor = Redactor()
    redactor.learn("aaaaaaaa")
    short, long = (piece * (size // len(piece)) for size in (50_000, 200_000))
    assert _seconds(redactor, long) < 9 * _seconds(redactor, short) + 0.1


def test_a_hostile_megabyte_is_masked_at_once() -> None:
    redactor = Redactor()
    redactor.learn("aaaaaaaa")
    text = "".join(piece * (1_000_000 // len(HOSTILE) // len(piece)) for piece in HOSTILE)
    assert _seconds(redactor, text) < 2  # 0.4 on a slow machine


def _seconds(redactor: Redactor, text: str) -> float:
    began = time.process_time()
    redactor(text)
    return time.process_time() - began
