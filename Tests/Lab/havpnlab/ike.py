# SPDX-License-Identifier: Apache-2.0
"""Stock charon in a namespace, with a private /run, its ha plugin and its VICI socket."""

import os
import re
import shutil

from . import system
from .system import Failure, run, spawn, wait_until
from .topology import VIRTUAL_ADDRESS

_PLUGINS = ("random nonce aes sha1 sha2 hmac kdf openssl pem pkcs1 pubkey curve25519 gcm gmp "
            "kernel-netlink socket-default vici updown")

_PROPOSALS = {
    1: ("aes128-sha256-modp2048", "aes128-sha256-modp2048"),
    2: ("aes128gcm16-prfsha256-x25519", "aes128gcm16-x25519"),
}

CONNECTION, CHILD = "branch", "net"


class Charon:
    """One IKE daemon. `gateway` nodes answer at the virtual address; the branch initiates by a trap policy."""

    def __init__(self, router, *, version=2, replicated=False, verbose=False, tunnels=0, inside="10.2.0.2/32",
                 rekey_seconds=None, ends=(VIRTUAL_ADDRESS, "10.1.0.5"), through=None):
        self.router = router
        #: the ends of the tunnel: the virtual address and the branch's
        self.virtual, self.branch = ends
        #: the address of a NAT between the ends, where each of them finds the other
        self.through = through
        #: what the tunnel protects behind the gateways
        self.inside = inside
        #: when this daemon's copy of the child SA is to be rekeyed, if not after charon's usual hour
        self.rekey_seconds = rekey_seconds
        #: so many tunnels beside the one of the seed, each with an IKE SA of its own, to 10.200.0.0/16 behind r5
        self.tunnels = tunnels
        self.version = version
        self.replicated = replicated
        self.verbose = verbose
        self.gateway = router in ("r3", "r4")
        self.run_directory = f"{system.RUN}/{router}/run"
        self.vici = f"{self.run_directory}/charon.vici"
        self.process = None

    @property
    def log(self):
        return f"{system.RUN}/{self.router}/charon.log"

    def start(self):
        """Starts the daemon, waits for its socket and loads the one connection."""
        shutil.rmtree(self.run_directory, ignore_errors=True)
        os.makedirs(self.run_directory)
        self._write("strongswan.conf", self._daemon_configuration())
        self._write("swanctl.conf", self.connection_configuration())
        self.process = spawn(
            ["/usr/lib/ipsec/charon"], log=self.log, namespace=self.router, private_run=self.run_directory,
            environment={"STRONGSWAN_CONF": "/run/strongswan.conf"})
        wait_until(lambda: os.path.exists(self.vici) or self.process.poll() is not None, 20,
                   f"charon on {self.router} opened no VICI socket")
        if self.process.poll() is not None:
            raise Failure(f"charon on {self.router} ended with {self.process.returncode}")
        self.load()
        return self

    def load(self):
        """Loads credentials and the connection, as an operator's unit does after the daemon's start."""
        wait_until(lambda: "loaded connection" in self.swanctl(
            "--load-all", "--file", f"{self.run_directory}/swanctl.conf", check=False), 10,
            f"charon on {self.router} did not load its connection")

    def stop(self, signal_number=15):
        """Ends the daemon; by default in order, as systemd does."""
        if self.process:
            system.end(self.process, 10, signal_number)
            self.process = None

    def swanctl(self, *words, check=True):
        """Runs swanctl against this daemon."""
        # Without a list of its own swanctl would probe every algorithm of every plugin, which takes seconds.
        return run("swanctl", *words, "--uri", f"unix://{self.vici}", check=check, timeout=60,
                   environment={"STRONGSWAN_CONF": f"{self.run_directory}/strongswan.conf"})

    def initiate(self):
        """Brings the tunnel up without waiting for traffic."""
        return self.swanctl("--initiate", "--child", CHILD, "--timeout", "20")

    def initiate_all(self):
        """Brings up the tunnels beside the seed's one, one after the other as fast as the programs start."""
        for number in range(self.tunnels):
            self.swanctl("--initiate", "--child", f"{CHILD}-{number}", "--timeout", "20")

    def rekey_child(self):
        return self.swanctl("--rekey", "--child", CHILD)

    def rekey_ike(self):
        return self.swanctl("--rekey", "--ike", CONNECTION)

    def associations(self):
        """[(state, initiator SPI, responder SPI, [(child state, inbound SPI, outbound SPI)])]."""
        return parse_associations(self.swanctl("--list-sas", "--raw", check=False))

    def _write(self, name, text):
        with open(f"{self.run_directory}/{name}", "w") as file:
            file.write(text)

    def _daemon_configuration(self):
        relay = """
        ha {
            local = 127.0.0.1
            remote = 127.0.0.2
            monitor = no
            heartbeat_timeout = 2000000000
            segment_count = 1
            buflen = 16384
        }""" if self.replicated else ""
        return f"""swanctl {{
    load = random openssl pem
}}
charon {{
    load = {_PLUGINS}{" ha" if self.replicated else ""}
    install_routes = no
    dos_protection = no
    reuse_ikesa = {"no" if self.tunnels else "yes"}
    # The branch notices a dead gateway as a Cisco with `crypto isakmp keepalive 10 periodic` does: 10 s + 6 * 2 s.
    retransmit_timeout = 2.0
    retransmit_base = 1.0
    retransmit_tries = 5
    plugins {{
        kernel-netlink {{
            roam_events = no
        }}
        vici {{
            socket = unix:///run/charon.vici
        }}{relay}
    }}
    filelog {{
        stderr {{
            time_format = %H:%M:%S
            time_add_ms = yes
            flush_line = yes
            default = 1
            knl = 1
            ike = {4 if self.verbose else 1}
        }}
    }}
}}
"""

    def connection_configuration(self):
        ike, esp = _PROPOSALS[self.version]
        if self.gateway:
            local, remote, inside, far, action = self.virtual, self.branch, self.inside, "10.0.0.6/32", "none"
            detection = "dpd_delay = 0s"
        else:
            local, remote, inside, far, action = self.branch, self.virtual, "10.0.0.6/32", self.inside, "trap"
            detection = "dpd_delay = 10s"
        if self.tunnels and self.gateway:
            far += ",10.200.0.0/16"
        life = ""
        if self.rekey_seconds:
            life = f"""
                rekey_time = {self.rekey_seconds}s
                rand_time = 0s
                life_time = 3600s"""

        def connection(name, child, inside, action):
            return f"""
    {name} {{
        version = {self.version}
        local_addrs = {local}
        remote_addrs = {self.through or remote}
        mobike = no
        unique = never
        proposals = {ike}
        {detection}
        local {{
            auth = psk
            id = {local}
        }}
        remote {{
            auth = psk
            id = {remote}
        }}
        children {{
            {child} {{
                local_ts = {inside}
                remote_ts = {far}
                esp_proposals = {esp}
                start_action = {action}
                dpd_action = {"trap" if self.gateway else "restart"}
                close_action = none{life}
            }}
        }}
    }}"""

        all_of_them = connection(CONNECTION, CHILD, inside, action)
        if not self.gateway:
            all_of_them += "".join(
                connection(f"{CONNECTION}-{number}", f"{CHILD}-{number}", f"10.200.{number >> 8}.{number & 255}/32", "none")
                for number in range(self.tunnels))
        return f"""connections {{{all_of_them}
}}
secrets {{
    ike-branch {{
        id-1 = {self.virtual}
        id-2 = {self.branch}
        secret = "only the lab knows it"
    }}
}}
"""


def parse_associations(raw):
    """Reads what `swanctl --list-sas --raw` prints."""
    found = []
    for event in raw.split("list-sa event ")[1:]:
        ike = re.search(r"\{(?:[^{}]*?)\bstate=(\S+).*?initiator-spi=([0-9a-f]+) responder-spi=([0-9a-f]+)", event)
        if not ike:
            continue
        children = [
            (child.group(1), child.group(2), child.group(3)) for child in re.finditer(
                r"\bstate=(\S+) mode=\S+ protocol=\S+(?: encap=\S+)? spi-in=([0-9a-f]+) spi-out=([0-9a-f]+)", event)
        ]
        found.append((ike.group(1), ike.group(2), ike.group(3), children))
    return found
