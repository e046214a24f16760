#!/usr/bin/env bash
# Python's SDK for CloudEvents gives the data of one content type as text or as bytes, whatever the bytes happen to be.
#
# Seen on 2026-11-30 with cloudevents 2.2.0 from PyPI on Python 3.11, binary mode of the Kafka binding (from_binary), JSONFormat:
# - Data of a type that is neither JSON nor text (avro/binary) comes as `str` where its bytes are valid UTF-8, and as `bytes` where
#   they are not. So a consumer of Avro or Protobuf gets either from one event to the next, and only some of them fail.
# - The media type is compared with its letters as they are: application/json is parsed, Application/JSON comes as unparsed text.
#   RFC 9110 says that types are the same in either case.
# - An event without `time`, which is optional, gets the time at which it is read: two readings of one record differ.
# - In structured mode an optional attribute that is null, which the JSON format has readers take for one that is not set, raises an
#   error: a TypeError for `time`, a CloudEventValidationError for `subject`.
# - A record's key that is not UTF-8 raises a UnicodeDecodeError, since the key always becomes `partitionkey`.
# Guessed before: the first three would be bytes, parsed, and None. A tombstone (value None) gives data None, as it should.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cloudevents==2.2.0 python-dateutil==2.9.0.post0
"$folder/venv/bin/python" - <<'PYTHON'
import time
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat


def read(value, key=b"k", **headers):
    named = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/shop", "ce_type": b"order.placed"}
    named |= {name.replace("_type", "-type"): text.encode() for name, text in headers.items()}
    return from_binary(KafkaMessage(named, key, value), JSONFormat())


def expect(what, seen, expected):
    print(f"{what}: {seen!r}")
    if seen != expected:
        raise SystemExit(f"changed: {what} was {expected!r}")


def error_of(call):
    try:
        call()
    except Exception as error:  # whichever it is
        return type(error).__name__
    return None


expect("avro/binary, bytes 00 41", read(b"\x00A", content_type="avro/binary").get_data(), "\x00A")
expect("avro/binary, bytes 00 ff", read(b"\x00\xff", content_type="avro/binary").get_data(), b"\x00\xff")
expect("application/json", read(b'{"n":1}', content_type="application/json").get_data(), {"n": 1})
expect("Application/JSON", read(b'{"n":1}', content_type="Application/JSON").get_data(), '{"n":1}')
first = read(b"{}", content_type="application/json").get_time()
time.sleep(0.01)
second = read(b"{}", content_type="application/json").get_time()
expect("one record without time, read twice, has one time", first == second, False)
structured = {"content-type": b"application/cloudevents+json"}
for attribute, error in {"time": "TypeError", "subject": "CloudEventValidationError"}.items():
    document = b'{"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","%b":null}' % attribute.encode()
    seen = error_of(lambda: from_structured(KafkaMessage(structured, None, document), JSONFormat()))
    expect(f"{attribute} null", seen, error)
expect("key of bytes", error_of(lambda: read(b"{}", key=b"\xff\x01", content_type="application/json")), "UnicodeDecodeError")
expect("tombstone", read(None, content_type="application/json").get_data(), None)
PYTHON
echo "cloudevents-python: as described"
