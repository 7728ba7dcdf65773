"""Board keys: made by the site, encrypted at rest, shown only as public keys and fingerprints."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from django.conf import settings


class BadKey(ValueError):
    """The text is not an unencrypted OpenSSH private key, or the site's secret has changed."""


def new_private_key() -> str:
    """A fresh ed25519 key in OpenSSH's text form."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_key(private_key: str) -> str:
    """The authorized_keys line (type and base64) of a private key. Raises BadKey."""
    try:
        key = load_ssh_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadKey("not an unencrypted OpenSSH private key") from error
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def fingerprint(public: str) -> str:
    """OpenSSH's SHA256 fingerprint of a public key line."""
    try:
        blob = base64.b64decode(public.split()[1], validate=True)
    except (ValueError, IndexError) as error:
        raise BadKey("not a public key line") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def encrypt(private_key: str) -> str:
    return _cipher().encrypt(private_key.encode()).decode()


def decrypt(stored: str) -> str:
    """The private key's text. Raises BadKey when the site's secret is not the one it was encrypted with."""
    try:
        return _cipher().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise BadKey("LAYERWISE_SECRET_KEY has changed since this board's key was stored") from error


def _cipher() -> Fernet:
    """A key derived from the site's secret, for this purpose only."""
    digest = hashlib.sha256(b"board keys:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
