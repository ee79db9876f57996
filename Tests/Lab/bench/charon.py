# SPDX-License-Identifier: Apache-2.0
"""`ike-daemon strongswan` measured: latency of a rekeyed SA, and tunnels a second into a restarted standby."""

import os
import select
import socket
import statistics
import struct
import threading
import time

from measures import spread

from havpnlab import capture, system, takeover, xfrm
from havpnlab.havpn import Settings
from havpnlab.system import expect, inside, run, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS

#: The ha plugin's command to serve a segment from now on (reference ipsec-ha.md §1.7).
_SEGMENT_DROP = 8
#: What is said to it besides records: SEGMENT_DROP, SEGMENT_TAKE, STATUS, RESYNC.
_COMMANDS = (8, 9, 10, 11)
RELAY, CHARON, PORT = "127.0.0.2", "127.0.0.1", 4510


def latency(world, runs, measured):
    """A child SA that the active charon rekeys: outbound SA in its kernel → the same in the standby's."""
    world.begin(Settings(timers="1 3"))
    world.bring_tunnel_up()
    listener = _Listener()
    for _ in range(max(runs * 10, 50)):
        time.sleep(0.05)
        world.charons["r3"].rekey_child()
        time.sleep(0.15)
    time.sleep(1)
    seen = listener.stop()
    taken = [(at - seen["r3"][spi]) * 1000 for spi, at in seen["r4"].items() if spi in seen["r3"]]
    expect(len(taken) >= runs * 8, f"only {len(taken)} rekeyed SAs were seen in both kernels")
    measured["ike-daemon strongswan: latency median, ms"] = statistics.median(taken)
    print(f"ike-daemon strongswan: SA on the active -> in the standby's kernel: {spread(taken)}", flush=True)
    world.reset()


class _Listener:
    """Notes the moment at which each kernel told of a new outbound SA.

    Apart from who asks for the rekeys, and before everybody else: the moments are of its waking.
    """

    def __init__(self):
        self.sockets = {xfrm.open_socket(router, 1 << 2): router for router in GATEWAYS}
        self.seen = {router: {} for router in GATEWAYS}
        self.is_over = False
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def stop(self):
        """What was seen: {router: {SPI: moment}}."""
        self.is_over = True
        self.thread.join()
        return self.seen

    def _listen(self):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
        while not self.is_over:
            for ready in select.select(list(self.sockets), [], [], 0.2)[0]:
                message, at = ready.recv(65536), time.monotonic()
                found = xfrm.added_sa(message)
                if found and found[1] == VIRTUAL_ADDRESS:
                    self.seen[self.sockets[ready]].setdefault(found[0], at)


def restore(world, tunnels, runs, measured):
    """Tunnels restored into a standby's charon that starts anew, against the same messages sent from this machine."""
    world.begin(Settings(timers="1 3"), tunnels=tunnels)
    world.bring_tunnel_up()
    world.charons["r5"].initiate_all()
    wanted = xfrm.Counter("r3").read()
    expect(wanted >= 2 * tunnels, f"only {wanted // 2} of {tunnels} tunnels came up")
    wait_until(lambda: xfrm.Counter("r4").read() == wanted, 60, "the standby does not hold all SAs", pause=0.5)
    rates, local = [], []
    for _ in range(runs):
        world.wait_for_hot(seconds=120)
        rates.append(tunnels / _fill(world, wanted))
    world.wait_for_hot(seconds=120)
    # Once more, not timed, for tcpdump costs the lab's one processor a tenth of all this.
    watch = capture.Capture("r4", "lo", expression=f"udp and dst host {CHARON} and dst port {PORT}", whole=True)
    _fill(world, wanted)
    watch.stop()
    expect(watch.lost() == 0, f"{watch.lost()} messages to charon were not captured")
    world.wait_for_hot(seconds=120)
    # A record that charon was sent twice would tear down its SA, if it came twice at once.
    messages = list(dict.fromkeys(
        payload for _, payload in capture.udp_payloads(watch.path) if payload[1] not in _COMMANDS))
    _take_over(world, tunnels)
    world.gateways["r4"].stop()
    for _ in range(runs):
        local.append(tunnels / _fill(world, wanted, messages))
    measured["ike-daemon strongswan: tunnels a second"] = statistics.median(rates)
    measured["ike-daemon strongswan: against a local replay"] = statistics.median(rates) / statistics.median(local)
    print(f"{tunnels} strongSwan tunnels restored at {spread(rates, 'a second')}; the same {len(messages)} messages sent from "
          f"this machine: {spread(local, 'a second')}", flush=True)
    world.reset()


def _take_over(world, tunnels):
    """The takeover itself, with the moment at which charon was told to be active apart."""
    watch = capture.Capture("r4", "lo", expression=f"udp and dst host {CHARON} and dst port {PORT}", whole=True)
    leg = takeover.away(world, settle_seconds=1)
    watch.stop()
    told = [at for at, payload in capture.udp_payloads(watch.path) if at >= leg.at and payload[1] == _SEGMENT_DROP]
    print(f"takeover with {tunnels + 1} strongSwan tunnels: address {leg.address:.1f} ms, first ESP {leg.first_esp:.1f} ms, "
          f"charon activated after {(told[0] - leg.at) * 1000:.1f} ms" if told else "charon was never activated", flush=True)


def _fill(world, wanted, messages=None):
    """Starts r4's charon anew and returns the seconds from its first SA to its last one."""
    charon = world.charons["r4"]
    charon.stop(9)
    run("ip", "-n", "r4", "xfrm", "state", "flush")
    run("ip", "-n", "r4", "xfrm", "policy", "flush")
    counter = xfrm.Counter("r4")
    charon.start()
    if messages:
        threading.Thread(target=_replay, args=(messages,)).start()
    while counter.read() == 0:
        time.sleep(0.002)
    first = time.monotonic()
    last = counter.wait(wanted, 300)
    expect(last is not None, f"r4 holds {counter.read()} of {wanted} SAs")
    return last - first


def _replay(messages):
    """Sends the messages to r4's charon as fast as it reads them."""
    with inside("r4"):
        relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        relay.bind((RELAY, PORT))
        relay.connect((CHARON, PORT))
        for number, message in enumerate(messages):
            _send(relay, message)
            while number % 16 == 0 and _waiting_bytes() > 40_000:
                time.sleep(0)


def _send(relay, message):
    while True:
        try:
            return relay.send(message)
        except ConnectionRefusedError:
            # The answer to the one before: charon had not opened its socket.
            time.sleep(0.01)


def _waiting_bytes():
    """What charon has not read."""
    mine = f"{struct.unpack('=I', socket.inet_aton(CHARON))[0]:08X}:{PORT:04X}"
    for line in system.read_text("/proc/thread-self/net/udp").splitlines():
        words = line.split()
        if words[1] == mine:
            return int(words[4].split(":")[1], 16)
    return 0
