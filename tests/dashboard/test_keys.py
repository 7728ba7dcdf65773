"""Board keys: what the site makes, what it takes from others, and what it says about the rest."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from dashboard.boards import keys
from dashboard.boards.keys import BadKey, KeyKind
from workers.link.ssh.login import _read_key

if shutil.which("ssh-keygen") is None:
    pytest.skip("no ssh-keygen on this machine (Debian package openssh-client)", allow_module_level=True)

FORMS = [
    "ed25519",
    "ecdsa -b 256",
    "ecdsa -b 384",
    "ecdsa -b 521",
    "rsa -b 2048",
    "ecdsa -m PEM",
    "rsa -b 2048 -m PKCS8",
]


def made_by_ssh_keygen(folder: Path, form: str, password: str = "") -> Path:
    file = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", *form.split(), "-N", password, "-f", file], check=True)
    return file


@pytest.mark.parametrize(
    ("kind", "begins"), [(KeyKind.ED25519, "ssh-ed25519 "), (KeyKind.ECDSA, "ecdsa-sha2-nistp256 ")]
)
def test_the_site_makes_both_kinds_of_keys(kind: KeyKind, begins: str) -> None:
    assert keys.public_key(keys.new_private_key(kind)).startswith(begins)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_of_ones_own_is_taken_in_every_usual_form(tmp_path: Path, form: str) -> None:
    file = made_by_ssh_keygen(tmp_path, form)
    public = file.with_suffix(".pub").read_text().split()[:2]
    assert keys.public_key(keys.imported(file.read_text())).split() == public


@pytest.mark.parametrize("form", FORMS)
def test_a_taken_key_can_be_used_to_log_in(tmp_path: Path, form: str) -> None:
    private = keys.imported(made_by_ssh_keygen(tmp_path, form).read_text())
    assert _read_key(private).get_base64() == keys.public_key(private).split()[1]


def test_line_ends_of_another_system_do_no_harm(tmp_path: Path) -> None:
    text = made_by_ssh_keygen(tmp_path, "ed25519").read_text()
    taken = keys.imported(text.replace("\n", "\r\n"))
    assert keys.public_key(taken) == keys.public_key(text)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_with_a_password_is_refused_with_advice(tmp_path: Path, form: str) -> None:
    file = made_by_ssh_keygen(tmp_path, form, "secret words")
    with pytest.raises(BadKey, match="ssh-keygen -p"):
        keys.imported(file.read_text())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a private key"),
        ("hunter2", "not a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "not a private key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "public half"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
        ("x" * 30_000, "too long"),
    ],
)  # fmt: skip
def test_what_is_no_private_key_is_refused_and_told_why(text: str, says: str) -> None:
    with pytest.raises(BadKey, match=says):
        keys.imported(text)


def test_a_short_rsa_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="1024 bits"):
        keys.imported(made_by_ssh_keygen(tmp_path, "rsa -b 1024").read_text())


def test_damaged_keys_are_refused_and_break_nothing(tmp_path: Path) -> None:
    text, dice = made_by_ssh_keygen(tmp_path, "ecdsa").read_text(), random.Random(7)
    for _ in range(500):
        damaged = list(text)
        for _ in range(dice.randint(1, 6)):
            damaged[dice.randrange(len(damaged))] = dice.choice("ABCxyz019+/=\n- é\0")
        try:
            keys.imported("".join(damaged))  # damage to the comment alone may pass
        except BadKey:
            continue


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_what_ssh_keygen_prints_agrees_with_the_key(tmp_path: Path, algorithm: str) -> None:
    public = made_by_ssh_keygen(tmp_path, "ed25519").with_suffix(".pub")
    printed = subprocess.run(
        ["ssh-keygen", "-E", algorithm, "-lf", public], check=True, capture_output=True, text=True
    )
    assert keys.agrees(public.read_text(), printed.stdout)


def test_what_an_old_dropbear_prints_agrees_with_the_key() -> None:
    public = keys.public_key(keys.new_private_key())
    assert keys.agrees(public, f"Fingerprint: sha1!! {keys.older_fingerprints(public)[1]}")


def test_the_public_key_itself_agrees() -> None:
    public = keys.public_key(keys.new_private_key())
    assert keys.agrees(public, f"{public} root@board")


@pytest.mark.parametrize(
    "said", ["", " ", "yes", "SHA256:", "ssh-ed25519", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]
)
def test_anything_else_does_not_agree(said: str) -> None:
    assert not keys.agrees(keys.public_key(keys.new_private_key()), said)
