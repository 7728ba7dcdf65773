"""What to type on a board so that the site gets in, with as few rights as a run needs: texts to copy."""

import shlex
from dataclasses import dataclass

from dashboard.boards.models import Board
from dashboard.registration.models import Probe, Registration

ROOT = "root"
# RV1126: the vendor's galcore driver. RK35xx: /dev/rknpu of older kernels, the DRM render node of newer ones.
DEVICES = {"rknn1": ("galcore",), "rknn2": ("rknpu", "dri/renderD*", "dma_heap/*"), "sim": ()}
# Everything that `restrict` takes away and dropbear knows by name; an option it does not know makes it skip the line.
DROPBEAR_OPTIONS = "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty"
MAKE_ACCOUNT = """\
# On the board, as root: a user without a password, its folder, and the NPU's devices for its group.
user={user} home={home}
if command -v useradd >/dev/null; then
    useradd -m -d "$home" -s /bin/sh -p '*' "$user"
else
    adduser -D -h "$home" -s /bin/sh "$user"
    sed -i "s/^$user:![^:]*:/$user:*:/" /etc/shadow  # OpenSSH lets no locked account in
fi
mkdir -p "$home/.ssh" && chmod 755 "$home" && chmod 700 "$home/.ssh"
cat >> "$home/.ssh/authorized_keys" <<'END'
{line}
END
chmod 600 "$home/.ssh/authorized_keys" && chown -R "$user:$user" "$home"
{folder}{devices}"""
MAKE_FOLDER = 'mkdir -p {folder} && chown "$user:$user" {folder}\n'
GIVE_DEVICES = """\
{{ grep -q '^npu:' /etc/group || groupadd npu || addgroup npu; }} 2>/dev/null
{{ usermod -aG npu "$user" || addgroup "$user" npu; }} 2>/dev/null
for device in {paths}; do
    if test -e "$device"; then chgrp npu "$device" && chmod 660 "$device"; fi
done
# The same after each reboot, where udev is; else put the loop above into an init script.
if test -d /etc/udev/rules.d; then
    echo '{rule}' > /etc/udev/rules.d/60-layerwise-npu.rules
fi
"""


@dataclass(frozen=True)
class Access:
    """The texts of one board, for both servers."""

    user: str  # whom the account is made for
    public_key: str
    openssh_line: str
    dropbear_line: str
    openssh_account: str
    dropbear_account: str
    sudo_rule: str
    host_key_commands: tuple[str, str]  # OpenSSH's, dropbear's


def access_to(target: Board | Registration, public_key: str, host_key: str, seen_from: str = "") -> Access:
    """The texts for a board or one on its way in; `seen_from` is the worker's address as the board sees it."""
    user = "layerwise" if target.username == ROOT else target.username
    openssh = openssh_line(public_key, seen_from)
    dropbear = f"{DROPBEAR_OPTIONS} {public_key} layerwise"
    return Access(
        user=user,
        public_key=public_key,
        openssh_line=openssh,
        dropbear_line=dropbear,
        openssh_account=_account(user, target.npu, target.work_folder, openssh),
        dropbear_account=_account(user, target.npu, target.work_folder, dropbear),
        sudo_rule=f"{user} ALL=(root) NOPASSWD: /sbin/reboot, /bin/dmesg",
        host_key_commands=_host_key_commands(host_key),
    )


def openssh_line(public_key: str, seen_from: str) -> str:
    """`restrict` takes away forwarding, agent, X11, pty and the user's rc file; commands and SFTP stay."""
    place = f',from="{seen_from}"' if seen_from else ""
    return f"restrict{place} {public_key} layerwise"


def seen_from(target: Board | Registration) -> str:
    """The worker's address, as the newest probe saw it; empty before one reached the board."""
    probes = Probe.objects.filter(registration=target) if isinstance(target, Registration) else target.probes
    newest = probes.exclude(seen_from="").order_by("-pk").first()
    return newest.seen_from if newest else ""


def _account(user: str, npu: str, work_folder: str, line: str) -> str:
    home = shlex.quote(f"/userdata/{user}")
    folder = shlex.quote(work_folder)
    return MAKE_ACCOUNT.format(
        user=shlex.quote(user),
        home=home,
        line=line,
        folder=MAKE_FOLDER.format(folder=folder) if work_folder.startswith("/") else "",
        devices=_devices(DEVICES.get(npu, ())),
    )


def _devices(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    kernel = "|".join(name.rpartition("/")[2] for name in names if not name.endswith("/*"))
    rule = f'KERNEL=="{kernel}", GROUP="npu", MODE="0660"'
    return GIVE_DEVICES.format(paths=" ".join(f"/dev/{name}" for name in names), rule=rule)


def _host_key_commands(host_key: str) -> tuple[str, str]:
    """What prints the fingerprint of the key of this kind on the board itself."""
    kind = host_key.split(maxsplit=1)[0] if host_key else "ssh-ed25519"
    word = "ecdsa" if kind.startswith("ecdsa") else kind.removeprefix("ssh-")
    return (
        f"ssh-keygen -lf /etc/ssh/ssh_host_{word}_key.pub",
        f"dropbearkey -y -f /etc/dropbear/dropbear_{word}_host_key",
    )
