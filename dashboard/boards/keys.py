"""Board keys: made by the site or brought along, encrypted at rest, shown only as public keys and fingerprints."""

import base64
import hashlib
import warnings
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning
from django.conf import settings

LONGEST = 20_000  # characters of a pasted key
SHORTEST_RSA = 2048
WITHOUT_PASSWORD = (
    "The private key is protected by a password, which nobody could type in for a worker. Make a key for this "
    "purpose alone, or take the password off a copy: ssh-keygen -p -N '' -f COPY"
)
OTHER_KIND = "A key of this kind opens no board: use ed25519, ECDSA (P-256, P-384, P-521) or RSA."
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyKind(StrEnum):
    """What the site can make. Old dropbears know no ed25519, but ECDSA."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"


class BadKey(ValueError):
    """The text is no usable private or public key (it says why), or the site's secret has changed."""


def new_private_key(kind: KeyKind = KeyKind.ED25519) -> str:
    """A fresh key in OpenSSH's text form: ed25519, or ECDSA on the curve P-256."""
    if kind == KeyKind.ECDSA:
        return _text(ec.generate_private_key(ec.SECP256R1()))
    return _text(Ed25519PrivateKey.generate())


def imported(text: str) -> str:
    """A pasted private key in OpenSSH's text form, whatever form it came in. Raises BadKey, with advice."""
    text = text.replace("\r\n", "\n").strip() + "\n"
    if len(text) > LONGEST:
        raise BadKey("The text is too long for a private key.")
    if text.startswith("PuTTY-User-Key-File"):
        raise BadKey("This is a key of PuTTY. Convert it: puttygen KEY.ppk -O private-openssh-new -o KEY")
    if text.startswith(("ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2 PUBLIC")):
        raise BadKey("This is the public half of a key. Paste the private one, or let the site make a key.")
    key = _loaded(text)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise BadKey(f"An RSA key of {key.key_size} bits is too short: at least {SHORTEST_RSA}.")
    return _text(key)


def public_key(private_key: str) -> str:
    """The authorized_keys line (type and base64) of a private key. Raises BadKey."""
    return _loaded(private_key).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def fingerprint(public: str) -> str:
    """OpenSSH's SHA256 fingerprint of a public key line."""
    try:
        blob = base64.b64decode(public.split()[1], validate=True)
    except (ValueError, IndexError) as error:
        raise BadKey("not a public key line") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def older_fingerprints(public: str) -> tuple[str, str]:
    """MD5 and SHA-1 of a public key line in hexadecimal, as old dropbears and old ssh-keygens print them."""
    fingerprint(public)  # raises for what is no key line
    blob = base64.b64decode(public.split()[1])
    digests = (hashlib.new(name, blob, usedforsecurity=False).hexdigest() for name in ("md5", "sha1"))
    md5, sha1 = (":".join(digest[at : at + 2] for at in range(0, len(digest), 2)) for digest in digests)
    return md5, sha1


def agrees(public: str, said: str) -> bool:
    """Does what somebody read on the board name this key? `said` may be a whole line of a program's output.

    It holds the fingerprint in one of three forms, or the public key itself.
    """
    known = {fingerprint(public), public.split()[1], *older_fingerprints(public)}
    words = {word.removeprefix("MD5:").removeprefix("md5:") for word in said.split()}
    return bool(known & ({word.rstrip("=") if word.startswith("SHA256:") else word for word in words}))


def encrypt(private_key: str) -> str:
    return _cipher().encrypt(private_key.encode()).decode()


def decrypt(stored: str) -> str:
    """The private key's text. Raises BadKey when the site's secret is not the one it was encrypted with."""
    try:
        return _cipher().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise BadKey("LAYERWISE_SECRET_KEY has changed since this board's key was stored") from error


def _text(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _loaded(text: str) -> PrivateKey:
    load = load_ssh_private_key if "BEGIN OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # DSA: refused below
            key = load(text.encode(), password=None)
    except (TypeError, ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
        raise BadKey(_advice(error)) from error
    if not isinstance(key, PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, CURVES)
    ):
        raise BadKey(OTHER_KIND)
    return key


def _advice(error: Exception) -> str:
    if isinstance(error, TypeError) or "password" in str(error).lower():
        return WITHOUT_PASSWORD
    if isinstance(error, UnsupportedAlgorithm):
        return OTHER_KIND
    return (
        "This is not a private key: paste the whole file that begins with -----BEGIN OPENSSH PRIVATE KEY-----"
    )


def _cipher() -> Fernet:
    """A key derived from the site's secret, for this purpose only."""
    digest = hashlib.sha256(b"board keys:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
