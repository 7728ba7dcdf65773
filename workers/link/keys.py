"""Keys for boards: a pair for logging in, and fingerprints for people to compare."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 pair: `private` in OpenSSH's format, `public` as a line of authorized_keys."""

    private: str
    public: str


def make_key_pair(comment: str = "layerwise") -> KeyPair:
    """A new pair. The comment must be one line; ValueError if not."""
    if not comment.isprintable():
        raise ValueError("a key's comment is one printable line")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), f"{public.decode()} {comment}")


def fingerprint(public_line: str) -> str:
    """SHA256:... of a public key line, as `ssh-keygen -l` prints it. ValueError when it is no key line."""
    try:
        blob = base64.b64decode(public_line.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ValueError("not a public key line") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
