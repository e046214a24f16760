#!/usr/bin/env bash
# librdkafka's text for INVALID_TRANSACTION_TIMEOUT tells you to look at a broker setting that does not exist.
#
# Seen on 2026-11-30 with confluent-kafka 2.11.1 (librdkafka 2.11.1), no broker needed: the text of error 50 names
# `max.transaction.timeout.ms`. Kafka's setting is `transaction.max.timeout.ms`: a 4.3.1 broker with 10000 in that one refuses a
# producer that asks for 20000, with this error.
# Guessed before: an error's text names the setting by its name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet confluent-kafka==2.11.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from confluent_kafka import KafkaError, libversion

text = KafkaError(50).str()
print(f"librdkafka {libversion()[0]}: {text}")
if "max.transaction.timeout.ms" not in text or "transaction.max.timeout.ms" in text:
    sys.exit("the text names another setting now")
PYTHON
