"""Makes tests/vectors/esdk: sealed files, each named by its property or defect, and cases.json.

Usage: esdk_make_vectors.py OUT_DIRECTORY, with aws-encryption-sdk 4 and its material providers library. Files named
sdk-* are made by the SDK (with fresh random keys each time), all others by the small encoder below, which is independent
of the Rust one and also writes what the SDK refuses to write. All keys and identifiers here are for tests only.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    AesWrappingAlg,
    CreateDefaultCryptographicMaterialsManagerInput,
    CreateMultiKeyringInput,
    CreateRawAesKeyringInput,
    CreateRequiredEncryptionContextCMMInput,
)
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.identifiers import AlgorithmSuite
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
NAMESPACE, NAME = "ns", "k1"
FRAME = 128
CONTEXT = {"artifact": "a1", "purpose": "model-file"}
TEXT = b"B" * 300
LABEL, FINAL_LABEL = b"AWSKMSEncryptionClient Frame", b"AWSKMSEncryptionClient Final Frame"

# --- the encoder -----------------------------------------------------------------------------------------------------


def sized(value):
    return struct.pack(">H", len(value)) + value


def pairs(context):
    """Serialized pairs in the order given."""
    if not context:
        return b""
    items = list(context.items()) if isinstance(context, dict) else context
    raw = [(as_bytes(key), as_bytes(value)) for key, value in items]
    return struct.pack(">H", len(raw)) + b"".join(sized(key) + sized(value) for key, value in raw)


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def edk(data_key, aad, key=KEY, namespace=NAMESPACE, name=NAME, seed="edk"):
    nonce = hashlib.sha256(seed.encode()).digest()[:12]
    info = as_bytes(name) + struct.pack(">II", 128, 12) + nonce
    return sized(as_bytes(namespace)) + sized(info) + sized(AESGCM(key).encrypt(nonce, data_key, aad))


class Message:
    """One message; every field may be overridden to be wrong while all tags stay right."""

    def __init__(self, seed, text=TEXT, context=CONTEXT, **wrong):
        self.data_key = hashlib.sha256(b"data key" + seed.encode()).digest()
        self.id = hashlib.sha256(b"message id" + seed.encode()).digest()
        self.text, self.wrong, self.frame_len = text, wrong, wrong.get("frame_len", FRAME)
        self.context = wrong.get("raw_context", pairs(context))
        suite = wrong.get("suite", 0x0478)
        derive = lambda info: HKDF(SHA512(), 32, self.id, info).derive(self.data_key)
        self.key = AESGCM(derive(struct.pack(">H", suite) + b"DERIVEKEY"))
        self.commitment = wrong.get("commitment", derive(b"COMMITKEY"))
        edks = wrong.get("edks", lambda m: [edk(m.data_key, m.context)])(self)
        self.body = (
            bytes([wrong.get("version", 2)])
            + struct.pack(">H", suite)
            + self.id
            + sized(self.context)
            + struct.pack(">H", wrong.get("edk_count", len(edks)))
            + b"".join(edks)
            + bytes([wrong.get("content_type", 2)])
            + struct.pack(">I", self.frame_len)
            + self.commitment
        )
        self.header = self.body + self.key.encrypt(bytes(12), b"", self.body + wrong.get("not_stored", b""))

    def frame(self, sequence, text, label=LABEL, stated=None, nonce=None):
        own = bytes(8) + struct.pack(">I", sequence)
        aad = self.id + label + struct.pack(">IQ", sequence, len(text))
        return struct.pack(">I", stated or sequence) + (nonce or own) + self.key.encrypt(own, text, aad)

    def final(self, sequence, text, label=FINAL_LABEL, length=None, mark=b"\xff" * 4):
        sealed = self.frame(sequence, text, label)
        length = struct.pack(">I", len(text) if length is None else length)
        return mark + sealed[:16] + length + sealed[16:]

    def frames(self, full_final=False):
        step = self.frame_len
        cuts = [self.text[at : at + step] for at in range(0, len(self.text), step)] or [b""]
        if len(cuts[-1]) == step and not full_final:
            cuts.append(b"")
        regular = [self.frame(number, cut) for number, cut in enumerate(cuts[:-1], 1)]
        return regular + [self.final(len(cuts), cuts[-1])]

    def sealed(self, full_final=False):
        return self.header + b"".join(self.frames(full_final))


# --- the SDK ---------------------------------------------------------------------------------------------------------

CLIENT = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
PROVIDERS = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyring(key=KEY, name=NAME):
    algorithm = AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16
    return PROVIDERS.create_raw_aes_keyring(
        input=CreateRawAesKeyringInput(
            key_namespace=NAMESPACE, key_name=name, wrapping_key=key, wrapping_alg=algorithm
        )
    )


def multi_keyring():
    return PROVIDERS.create_multi_keyring(
        input=CreateMultiKeyringInput(generator=keyring(OTHER_KEY, "k0"), child_keyrings=[keyring()])
    )


def required_context_cmm(keys):
    default = PROVIDERS.create_default_cryptographic_materials_manager(
        input=CreateDefaultCryptographicMaterialsManagerInput(keyring=keyring())
    )
    return PROVIDERS.create_required_encryption_context_cmm(
        input=CreateRequiredEncryptionContextCMMInput(underlying_cmm=default, required_encryption_context_keys=keys)
    )


def by_sdk(text, context=CONTEXT, signed=False, **arguments):
    arguments = arguments or {"keyring": keyring()}
    suite = "AES_256_GCM_HKDF_SHA512_COMMIT_KEY" + ("_ECDSA_P384" if signed else "")
    sealed, _header = CLIENT.encrypt(
        source=text, encryption_context=context, algorithm=AlgorithmSuite[suite], frame_length=FRAME, **arguments
    )
    return sealed


# --- the cases -------------------------------------------------------------------------------------------------------

SPEC = """
02 0478 a4e62a88a5da1fce60a328da25ef41283dde97a107c372078c9f32861b07a4d0
0000 0001
0002 6e73 0016 6b31 00000080 0000000c b424a9d842a3b3788d2027b7
0030 4ef255c2b728123499c753eac77707e2cf72f7f1863fa7e7be808df9d4ef49f6 a13d9ac33a0603096d7c8761dc96c1b3
02 00000080
95b24f46e824076c3ecc19b369605140fa5577dffd3c2355c46c51e22112fbca
2341c8398b3b0db4aefb5329fa2aaa5e
00000001 000000000000000000000001
fb7566bc7a500b7fef9389e1d78617b104b4febcd90fd44015d692b9d4d5a81401805cb2a2264cbcf9e30a9e34029ac2264009511747c9a61829057f224973a1
ffb21bf47f5c87b4c8ee4dbfed1a8b534eec616b67a654ec3478de056d975751e15e892365ed6d187c421f5053994acb0bdba2011d6541a1add994ab80f2ce5a
fd5ea5c805bcdb0dadc0d6fcc3c16c1f
ffffffff 00000002 000000000000000000000002 00000000 7ae2999a2b174b5dac60d0dcddc774e9
"""


def opened():
    """(name, sealed, plaintext, required context)"""
    exact, eight = b"B" * FRAME, range(8)
    yield "sdk-exact-multiple-empty-context", bytes.fromhex("".join(SPEC.split())), exact, {}
    yield "sdk-empty", by_sdk(b""), b"", CONTEXT
    yield "sdk-one-byte", by_sdk(b"x"), b"x", {}
    yield "sdk-many-frames", by_sdk(TEXT), TEXT, CONTEXT
    yield "sdk-two-keys", by_sdk(TEXT, keyring=multi_keyring()), TEXT, {}
    required = by_sdk(TEXT, materials_manager=required_context_cmm(["artifact"]))
    yield "sdk-required-context-not-stored", required, TEXT, CONTEXT
    all_required = by_sdk(TEXT, materials_manager=required_context_cmm(sorted(CONTEXT)))
    yield "sdk-required-context-all", all_required, TEXT, CONTEXT
    yield "full-final-frame", Message("full", exact * 2).sealed(full_final=True), exact * 2, CONTEXT
    yield "empty-final-frame", Message("empty", exact * 2).sealed(), exact * 2, {}
    eight_keys = lambda m: [edk(m.data_key, m.context, name=f"k{i}", seed=str(i)) for i in eight]
    yield "eight-keys", Message("eight", edks=eight_keys).sealed(), TEXT, {}
    foreign = lambda m: [sized(b"aws-kms") + sized(b"arn:aws:kms:x") + sized(bytes(184)), edk(m.data_key, m.context)]
    yield "key-of-aws-kms-first", Message("foreign", edks=foreign).sealed(), TEXT, {}
    twice = lambda m: [edk(bytes(32), b"", OTHER_KEY), edk(m.data_key, m.context)]
    yield "same-key-name-twice", Message("twice", edks=twice).sealed(), TEXT, {}
    longest = {"k": "v" * (8192 - 2 - 4 - 1)}
    yield "context-of-8-kib", Message("longest", context=longest).sealed(), TEXT, {}
    unicode = {"cl\u00e9": "\u4e0a\u6d77", "z": ""}
    yield "context-beyond-ascii", Message("unicode", context=unicode).sealed(), TEXT, unicode
    yield "frame-length-16-mib", Message("largest", frame_len=1 << 24).sealed(), TEXT, {}


def header_refused():
    """(name, sealed, refusal)"""
    wrong = lambda name, refusal, **fields: (name, Message(name, **fields).sealed(), refusal)
    yield wrong("version-1", "Version1", version=1)
    yield wrong("version-3", "NotSealed", version=3)
    yield "sdk-suite-0578", by_sdk(TEXT, signed=True), "SignedSuite"
    yield wrong("suite-0178", "NonCommittingSuite", suite=0x0178)
    yield wrong("suite-0378", "NonCommittingSuite", suite=0x0378)
    yield wrong("suite-0479", "UnknownSuite", suite=0x0479)
    yield wrong("context-unsorted", "ContextUnsorted", context=[("b", "1"), ("a", "2")])
    yield wrong("context-duplicate", "ContextDuplicate", context=[("a", "1"), ("a", "2")])
    yield wrong("context-of-no-pairs", "ContextMalformed", raw_context=b"\0\0")
    yield wrong("context-not-utf-8", "ContextMalformed", context=[(b"\xff\xfe", b"1")])
    yield wrong("context-with-trailing-byte", "ContextMalformed", raw_context=pairs(CONTEXT) + b"\0")
    yield wrong("context-pair-beyond-its-end", "ContextMalformed", raw_context=pairs(CONTEXT)[:-1])
    yield wrong("context-above-8-kib", "ContextTooLong", context={"k": "v" * (8192 - 2 - 4)})
    yield wrong("context-key-reserved", "ReservedContextKey", context={"aws-crypto-public-key": "AAAA"})
    yield wrong("no-keys", "NoKeys", edks=lambda m: [])
    yield wrong("nine-keys", "TooManyKeys", edks=lambda m: [edk(m.data_key, m.context, seed=str(i)) for i in range(9)])
    yield wrong("keys-65535", "TooManyKeys", edk_count=65535)
    big = lambda m: [sized(b"other") + sized(b"n" * 40000) + sized(bytes(48))] * 2 + [edk(m.data_key, m.context)]
    yield wrong("header-above-64-kib", "HeaderTooLong", edks=big)
    yield wrong("provider-not-utf-8", "KeyMalformed", edks=lambda m: [edk(m.data_key, m.context, namespace=b"\xff")])
    yield wrong("content-type-non-framed", "NotFramed", content_type=1)
    yield wrong("content-type-3", "UnknownContentType", content_type=3)
    for length in (0, 127, (1 << 24) + 1, (1 << 32) - 1):
        fields = Message(f"frame-length-{length}")
        body = fields.body[:-36] + struct.pack(">I", length) + fields.body[-32:]
        tag = fields.key.encrypt(bytes(12), b"", body)
        yield f"frame-length-{length}", body + tag + b"".join(fields.frames()), "FrameLen"
    named = lambda **other: (lambda m: [edk(m.data_key, m.context, **other)])
    yield wrong("key-of-another-name", "KeyNotListed", edks=named(name="k2"))
    yield wrong("key-name-longer", "KeyNotListed", edks=named(name="k10"))
    yield wrong("key-name-shorter", "KeyNotListed", edks=named(name="k"))
    yield wrong("key-of-another-namespace", "KeyNotListed", edks=named(namespace="nsx"))
    yield wrong("wrong-key", "WrongKey", edks=named(key=OTHER_KEY))
    yield wrong("key-sealed-without-context", "WrongKey", edks=lambda m: [edk(m.data_key, b"")])
    yield wrong("another-data-key", "Commitment", edks=lambda m: [edk(bytes(32), m.context)])
    yield wrong("commitment-wrong", "Commitment", commitment=bytes(32))
    yield wrong("header-tag-over-other-context", "HeaderTag", not_stored=pairs({"a": "b"}))
    whole = Message("header-flips").sealed()
    tag_at = len(Message("header-flips").header) - 1
    yield "header-tag-flipped", whole[:tag_at] + bytes([whole[tag_at] ^ 1]) + whole[tag_at + 1 :], "HeaderTag"
    yield "header-truncated", whole[:100], "HeaderTruncated"
    yield "empty-file", b"", "HeaderTruncated"
    yield "plain-text", b"A plain file.", "NotSealed"


def body_refused():
    """(name, sealed, refusal)"""
    m = Message("body")
    one, two, last = m.frames()
    other = Message("another").frames()
    exact = Message("exact", b"B" * 2 * FRAME)
    e1, e2, e_last = exact.frames()
    flipped = bytes([two[20] ^ 1])
    build = lambda *frames: m.header + b"".join(frames)
    yield "truncated-to-header", build(), "Size"
    yield "truncated-by-one-byte", build(one, two, last)[:-1], "FinalFrameLen"
    yield "truncated-to-an-impossible-size", build(one, two, last)[: len(m.header) + 45 + FRAME], "Size"
    yield "truncated-by-final-frame", exact.header + e1 + e2, "FinalFrameMissing"
    yield "extended-by-one-byte", build(one, two, last, b"\0"), "FinalFrameLen"
    yield "extended-by-a-final-frame", build(one, two, last, last), "FinalFrameLen"
    yield "extended-by-two-frames", build(one, two, m.final(3, TEXT[256:] + b"C" * 84), one, last), "FinalFrameEarly"
    yield "extended-by-a-frame", build(one, two, e1, last), "FrameSequence"
    yield "frames-swapped", build(two, one, last), "FrameSequence"
    yield "frame-repeated", build(one, one, last), "FrameSequence"
    yield "frame-left-out", build(one, last), "FrameSequence"
    yield "frame-of-another-file", build(one, other[1], last), "FrameTag"
    yield "final-frame-of-another-file", build(one, two, other[2]), "FrameTag"
    yield "frame-flipped", build(one, two[:20] + flipped + two[21:], last), "FrameTag"
    yield "frame-tag-flipped", build(one, two[:-1] + bytes([two[-1] ^ 1]), last), "FrameTag"
    yield "frame-number-wrong", build(one, m.frame(2, TEXT[128:256], stated=7), last), "FrameSequence"
    yield "frame-nonce-wrong", build(one, m.frame(2, TEXT[128:256], nonce=bytes(12)), last), "FrameNonce"
    yield "frame-labelled-final", build(one, m.frame(2, TEXT[128:256], FINAL_LABEL), last), "FrameTag"
    yield "final-frame-labelled-regular", build(one, two, m.final(3, TEXT[256:], LABEL)), "FrameTag"
    yield "final-frame-number-wrong", build(one, two, m.final(4, TEXT[256:])), "FrameSequence"
    yield "final-frame-length-wrong", build(one, two, m.final(3, TEXT[256:], length=45)), "FinalFrameLen"
    yield "final-frame-length-huge", build(one, two, m.final(3, TEXT[256:], length=0xFFFFFFFF)), "FinalFrameLen"
    yield "final-frame-without-mark", build(one, two, m.final(3, TEXT[256:], mark=bytes(4))), "FinalFrameMissing"


def context_refused():
    """(name, sealed, refusal, required context)"""
    sealed = Message("context").sealed()
    yield "context-value-other-than-required", sealed, "ContextMismatch", {"artifact": "a2"}
    yield "context-key-required-but-absent", sealed, "ContextMissing", {"file": "x"}
    hidden = by_sdk(TEXT, materials_manager=required_context_cmm(["artifact"]))
    yield "sdk-required-context-not-given", hidden, "WrongKey", {}
    yield "sdk-required-context-given-wrong", hidden, "WrongKey", {"artifact": "a2"}


def main(out):
    cases = []

    def add(name, sealed, required, **expectation):
        (out / f"{name}.bin").write_bytes(sealed)
        key = base64.b64encode(KEY).decode()
        case = {"file": f"{name}.bin", "provider_id": NAMESPACE, "key_id": NAME, "key": key}
        cases.append({**case, "encryption_context": required, **expectation})

    for name, sealed, text, required in opened():
        digest = hashlib.sha256(text).hexdigest()
        add(name, sealed, required, expect="open", plaintext_len=len(text), plaintext_sha256=digest)
    for source in (header_refused(), body_refused()):
        for name, sealed, refusal in source:
            add(name, sealed, {}, expect="refuse", refusal=refusal)
    for name, sealed, refusal, required in context_refused():
        add(name, sealed, required, expect="refuse", refusal=refusal)
    (out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


main(pathlib.Path(sys.argv[1]))
