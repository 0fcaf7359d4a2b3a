"""A throw-away Kerberos realm of MIT's KDC on loopback: principals, keytabs, tickets. Needs Debian's krb5-kdc and krb5-admin-server.

`with Realm(folder) as realm:` starts the KDC; `realm.environment()` is what a process needs to live in it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.kafka_jvm import free_port

REALM = "OTTLA.TEST"
READY_S = 20.0
COMMANDS = ("krb5kdc", "kadmin.local", "kdb5_util", "kinit")
_SBIN = "/usr/sbin"

_KRB5 = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
 default_ccache_name = FILE:{folder}/ccache
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
"""
_KDC = """[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/kadm5.acl
  max_life = 10h
 }}
"""


def find(command: str) -> str | None:
    """Return the path of a command of Kerberos; those of administrators are not in everybody's PATH."""
    return shutil.which(command) or shutil.which(command, path=_SBIN)


def missing() -> list[str]:
    return [command for command in COMMANDS if find(command) is None]


class Realm:
    """One KDC and its principals. Those of `services` stand in one keytab, as a broker has them."""

    def __init__(self, folder: Path, realm: str = REALM) -> None:
        self.folder = folder
        self.realm = realm
        self.port = free_port()
        self.config = folder / "krb5.conf"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self, **more: str) -> dict[str, str]:
        """What a process needs to use this realm: its configuration and a ticket cache and replay cache of its own."""
        return {
            "KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5RCACHENAME": f"dfl:{self.folder}", "KRB5RCACHEDIR": str(self.folder), **more,
        }  # fmt: skip

    def _run(self, command: str, *arguments: str, **environment: str) -> str:
        path = find(command)
        assert path is not None, f"{command} is not installed"
        done = subprocess.run(
            [path, *arguments], env={**os.environ, **self.environment(**environment)}, capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{command} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def __enter__(self) -> Self:
        values = {"realm": self.realm, "folder": self.folder, "port": self.port}
        self.config.write_text(_KRB5.format(**values))
        (self.folder / "kdc.conf").write_text(_KDC.format(**values))
        self._run("kdb5_util", "create", "-r", self.realm, "-s", "-P", "test")
        kdc = find("krb5kdc")
        assert kdc is not None
        log = (self.folder / "kdc.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [kdc, "-n"], env={**os.environ, **self.environment()}, stdout=log, stderr=log
            )
        self._wait()
        return self

    def _wait(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < READY_S:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "kdc.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the KDC does not listen")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def keytab(self, *principals: str, life: str | None = None) -> Path:
        """Make principals with random keys and a keytab with all of them; `life` bounds their tickets (5s, 1h)."""
        path = self.folder / f"{principals[0].replace('/', '_')}.keytab"
        for principal in principals:
            bound = f"-maxlife {life} " if life else ""
            self._run("kadmin.local", "-r", self.realm, "-q", f"addprinc -randkey {bound}{principal}")
        self._run("kadmin.local", "-r", self.realm, "-q", f"ktadd -k {path} {' '.join(principals)}")
        return path

    def change_key(self, principal: str) -> None:
        """Give a principal another key: keytabs made before are worthless."""
        self._run("kadmin.local", "-r", self.realm, "-q", f"change_password -randkey {principal}")

    def remove(self, principal: str) -> None:
        """Let a principal be no more; tickets it has go on until they end."""
        self._run("kadmin.local", "-r", self.realm, "-q", f"delprinc -force {principal}")

    def kinit(self, principal: str, keytab: Path, cache: Path, life: str = "1h") -> None:
        """Put a ticket into a cache file."""
        self._run("kinit", "-l", life, "-c", f"FILE:{cache}", "-k", "-t", str(keytab), principal)

    def wait_until_expired(self, cache: Path) -> None:
        """Return when the tickets of a cache have ended."""
        klist, began = find("klist"), time.monotonic()
        assert klist is not None
        command = [klist, "-s", "-c", f"FILE:{cache}"]
        while subprocess.run(command, env={**os.environ, **self.environment()}, check=False).returncode == 0:
            assert time.monotonic() - began < READY_S
            time.sleep(0.1)
        time.sleep(1.1)  # libraries take the last second of a ticket for part of it, klist does not


def jaas(keytab: Path, principal: str, **options: str) -> str:
    """Write a JAAS entry for a keytab."""
    more = "".join(f' {name}="{value}"' for name, value in options.items())
    return (
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true "
        f'keyTab="{keytab}" principal="{principal}"{more};'
    )
