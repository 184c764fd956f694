"""Seals and opens files with AWS's own SDK (aws-encryption-sdk 4, MPL raw AES keyring).

Usage: esdk_sdk.py JOBS.json, a list of
{"op": "seal" | "open", "input": path, "output": path, "key": hex, "namespace": ..., "name": ..., "context": {...},
 "frame_len": ...}; opening gives the SDK the context as the one it must find.
"""

import json
import sys

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import AesWrappingAlg, CreateRawAesKeyringInput
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.identifiers import AlgorithmSuite

CLIENT = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
PROVIDERS = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyring(job):
    return PROVIDERS.create_raw_aes_keyring(
        input=CreateRawAesKeyringInput(
            key_namespace=job["namespace"],
            key_name=job["name"],
            wrapping_key=bytes.fromhex(job["key"]),
            wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
        )
    )


def run(job):
    arguments = {"keyring": keyring(job), "encryption_context": job["context"]}
    mode = "d"
    if job["op"] == "seal":
        mode = "e"
        arguments["algorithm"] = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
        arguments["frame_length"] = job["frame_len"]
    with open(job["input"], "rb") as source, open(job["output"], "wb") as output:
        with CLIENT.stream(mode=mode, source=source, **arguments) as stream:
            for piece in stream:
                output.write(piece)


with open(sys.argv[1], encoding="utf-8") as jobs:
    for each in json.load(jobs):
        run(each)
