"""aws-encryption-cli with a raw AES-256 key: --wrapping-keys provider=rawkey key=NAME file=PATH [namespace=NAMESPACE]."""

import base64
import json

from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.base import MasterKeyProviderConfig
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider


class RawKeyFileConfig(MasterKeyProviderConfig):
    """What follows provider=rawkey; every value comes as a list of one."""

    def __init__(self, file, namespace=("strongroom/kek",), key_ids=()):
        self.file, self.namespace = file[0], namespace[0]


class RawKeyFile(RawMasterKeyProvider):
    """One key from one file, under whatever name the command gives it."""

    provider_id = property(lambda self: self.config.namespace)
    _config_class = RawKeyFileConfig

    def __init__(self, **_config):
        """The configuration has been read by the base class's `__new__`."""

    def _get_raw_key(self, key_id):
        with open(self.config.file, "rb") as file:
            key = raw_key(file.read())
        algorithm = WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING
        return WrappingKey(algorithm, key, EncryptionKeyType.SYMMETRIC)


def raw_key(content):
    """32 raw bytes, or base64, hex or {"key": base64} as Strongroom's key files may hold them."""
    if len(content) == 32:
        return content
    text = content.strip()
    if text.startswith(b"{"):
        text = json.loads(text)["key"].encode()
    key = bytes.fromhex(text.decode()) if len(text) == 64 else base64.b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError("the key file holds %d bytes, not 32" % len(key))
    return key
