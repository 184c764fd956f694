"""AWS's event stream encoding, as much of it as a streamed answer needs; botocore decodes it.

A message is: its length, the length of its headers and the CRC-32 of these two; headers; payload; the CRC-32 of all
before. Lengths count everything, numbers are big-endian.
"""

import json
import struct
import zlib

STRING = 7


def message(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(header(name, value) for name, value in headers.items())
    prelude = checked(struct.pack(">II", 12 + len(encoded) + len(payload) + 4, len(encoded)))
    return checked(prelude + encoded + payload)


def header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return struct.pack(">B", len(name_bytes)) + name_bytes + struct.pack(">BH", STRING, len(value_bytes)) + value_bytes


def checked(content: bytes) -> bytes:
    return content + struct.pack(">I", zlib.crc32(content))


def payload_part(payload: bytes) -> bytes:
    headers = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}
    return message(headers, payload)


def stream_error(code: str, text: str) -> bytes:
    """What ends a stream that broke after its first part: the status was sent long ago."""
    headers = {
        ":message-type": "exception",
        ":exception-type": "ModelStreamError",
        ":content-type": "application/json",
    }
    return message(headers, json.dumps({"ErrorCode": code, "Message": text}).encode())
