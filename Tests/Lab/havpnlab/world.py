# SPDX-License-Identifier: Apache-2.0
"""The whole seed, up and running: network, routing, IKE daemons, gateways, and the watch kept over them."""

import glob
import os
import shutil
import signal
import time

from . import capture, system, topology, traffic
from .havpn import Gateway, Settings
from .ike import Charon
from .monitor import AddressMonitor, Monitor
from .routing import Routing, wait_for_route
from .system import expect, run, wait_until
from .topology import VIRTUAL_ADDRESS

GATEWAYS = ("r3", "r4")


class World:
    """Network and routing live as long as the world; charon and havpnd are new for every scenario."""

    #: the gateways that are namespaces of this machine
    here = GATEWAYS

    def __init__(self):
        self.routing, self.charons, self.gateways, self.watches = {}, {}, {}, []
        #: Directories of other builds, by router; the rest runs this one.
        self.programs = {}
        #: More words of havpnd's command line, by router.
        self.arguments = {}
        #: the address whose comings and goings are watched
        self.virtual_address = VIRTUAL_ADDRESS

    def build(self, *, with_routing=True):
        topology.build()
        for router in ("r2", *GATEWAYS) if with_routing else ():
            self.routing[router] = Routing(router).start()
        return self

    def destroy(self):
        self.reset()
        for routing in self.routing.values():
            routing.stop()
        topology.destroy()

    # Bringing a scenario up and down.

    def begin(self, settings=None, *, version=2, routers=GATEWAYS, verbose=False, tunnels=0, inside="10.2.0.2/32",
              rekey_seconds=None, through=None):
        """Starts what the scenario needs in the order of a boot: havpnd before charon; returns when r3 is Active.

        With `verbose` charon's log holds the secrets of IKE; `tunnels` are made ready beside the seed's one;
        `rekey_seconds` says of a gateway when its copies of child SAs are to be rekeyed; `through` is the address of
        a NAT before the branch.
        """
        settings = settings or Settings(timers="1 3")
        self.use(settings.virtual_address)
        ends = settings.virtual_address, "10.1.0.5" if through else settings.peer_address
        for router in GATEWAYS:
            self.charons[router] = Charon(router, version=version, replicated=settings.stateful, verbose=verbose,
                                          tunnels=tunnels, inside=inside, ends=ends, through=through,
                                          rekey_seconds=(rekey_seconds or {}).get(router))
        for router in routers:
            self.gateways[router] = self.gateway(router, settings).start()
            self.charons[router].start()
            if router == routers[0] and len(set(settings.priorities.values())) == 1:
                # Nothing but the order of the boot says who shall be Active.
                self.gateways[router].wait_for_state("Active", 60)
        self.charons["r5"] = Charon("r5", version=version, tunnels=tunnels, inside=inside, ends=ends,
                                    through=through).start()
        self.gateways[routers[0]].wait_for_state("Active", 60)
        if len(routers) > 1:
            self.gateways[routers[1]].wait_for_state("Standby", 60)
        return self

    def use(self, virtual_address):
        """Has the network of that virtual address, until the next reset."""
        self.virtual_address = virtual_address
        if ":" in virtual_address:
            topology.enable_ipv6()

    def gateway(self, router, settings):
        """The node's havpnd, not started, of the build that is meant to run there."""
        return Gateway(router, settings, self.programs.get(router), self.arguments.get(router, ()))

    def bring_tunnel_up(self, standby="r4", active="r3"):
        """Pings until r6 reaches r2, and until the standby (None: without one) is HOT and shows the tunnel."""
        self.wait_for_routing()
        pinger = traffic.Pinger(interval_milliseconds=200)
        try:
            pinger.wait_for_answer(40)
        finally:
            pinger.stop()
        if self.routing:
            wait_for_route(20, gateway_address(active))
        if standby and self.gateways[standby].settings.stateful:
            self.wait_for_hot(standby, active)

    def wait_for_hot(self, standby="r4", active="r3", seconds=30):
        """Waits until both sides say that the standby could take over now."""
        wait_until(lambda: self.gateways[active].redundancy() == ("ACTIVE", "STANDBY HOT"), seconds,
                   f"{active} never showed ACTIVE with a peer STANDBY HOT: {self.gateways[active].redundancy()}",
                   pause=0.3)
        wait_until(lambda: self.gateways[standby].redundancy() == ("STANDBY HOT", "ACTIVE"), seconds,
                   f"{standby} never showed STANDBY HOT: {self.gateways[standby].redundancy()}", pause=0.3)
        self.gateways[standby].wait_for_session("UP-STANDBY")

    def wait_for_routing(self, seconds=60, routers=("r2", *GATEWAYS)):
        """Waits until all OSPF adjacencies of these routers are full."""
        for router in routers if self.routing else ():
            wait_until(lambda: len(self.routing[router].full_neighbours()) >= len(routers) - 1, seconds,
                       f"OSPF on {router} is not FULL with its neighbours", pause=0.3)

    def reboot(self, router, seconds_dark=4):
        """Cuts the power of a gateway, builds it anew and boots it as far as charon's loaded connection."""
        gateway = self.gateways[router]
        before = time.monotonic()
        self._kill_all(router)
        topology.destroy_router(router)
        time.sleep(seconds_dark)
        topology.build_router(router)
        self._restart_routing(router)
        self.gateways[router] = self.gateway(router, gateway.settings).start()
        self.charons[router].start()
        return before

    def reboot_both(self, seconds_dark=2):
        """Cuts the power of both gateways at once and boots them as `reboot` does; their SAs are gone with them."""
        settings = {router: self.gateways[router].settings for router in GATEWAYS}
        for router in GATEWAYS:
            self._kill_all(router)
            topology.destroy_router(router)
        time.sleep(seconds_dark)
        for router in GATEWAYS:
            topology.build_router(router)
            self._restart_routing(router)
        for router in GATEWAYS:
            self.gateways[router] = self.gateway(router, settings[router]).start()
            self.charons[router].start()

    def _restart_routing(self, router):
        if router in self.routing:
            self.routing[router].stop()
            self.routing[router].start()

    def reset(self):
        """Ends all that a scenario started and removes what it left, so that the next one starts from nothing."""
        for watch in self.watches:
            watch.abandon()
        self.watches = []
        for gateway in self.gateways.values():
            gateway.stop(3)
        for charon in self.charons.values():
            charon.stop(signal.SIGKILL)
        self.gateways, self.charons = {}, {}
        for router in (*self.here, "r5"):
            self._kill_all(router, keep=("zebra", "ospfd", "bfdd"))
            self._sweep(router)
        topology.plug_all_cables()
        if ":" in self.virtual_address:
            topology.disable_ipv6()
        self.virtual_address = VIRTUAL_ADDRESS
        for path in glob.glob(f"{system.RUN}/*"):
            if not os.path.isdir(path):
                os.unlink(path)
        for router in (*self.here, "r5"):
            for path in glob.glob(f"{system.RUN}/{router}/*"):
                if os.path.basename(path) != "frr":
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def live_spis(self, router):
        """The SPIs of a router's ESP SAs."""
        return traffic.live_spis(router)

    def keep_logs(self, name):
        """Copies logs and captures of the present scenario to the directory that survives."""
        target = os.path.join(os.environ.get("LAB_OUT", "/tmp"), name)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        for path in glob.glob(f"{system.RUN}/**", recursive=True):
            if path.endswith((".log", ".conf", ".pcap")) and os.path.isfile(path):
                shutil.copyfile(path, os.path.join(target, os.path.relpath(path, system.RUN).replace("/", "-")))
        with open(os.path.join(target, "kernel.txt"), "w") as file:
            for router in (*GATEWAYS, "r5", "r2"):
                file.write(f"==== {router}\n")
                for words in (["-d", "address"], ["rule"], ["route", "show", "table", "all"], ["neighbour"],
                              ["xfrm", "policy"], ["-s", "xfrm", "state"]):
                    text = run("ip", "-n", router, *words, check=False)
                    file.write("".join(line + "\n" for line in text.splitlines()
                                       if not line.lstrip().startswith(("auth", "enc ", "aead"))))
        return target

    def watch(self, **options):
        """Starts the instruments; `Watch.finish` ends them."""
        watch = Watch(self, **options)
        self.watches.append(watch)
        return watch

    def _kill_all(self, router, keep=()):
        for word in run("ip", "netns", "pids", router, check=False).split():
            if system.read_process(f"/proc/{word}/comm").strip() not in keep:
                try:
                    os.kill(int(word), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def _sweep(self, router):
        for words in (["xfrm", "state", "flush"], ["xfrm", "policy", "flush"], ["neighbour", "flush", "all"],
                      ["route", "flush", "proto", "114"]):
            run("ip", "-n", router, *words, check=False)
        if router in GATEWAYS:
            for line in run("ip", "-n", router, "-o", "link", "show", "type", "macvlan", check=False).splitlines():
                run("ip", "-n", router, "link", "delete", line.split(":")[1].strip().split("@")[0], check=False)
            for interface in ("eth0", "eth1"):
                run("ip", "-n", router, "address", "delete", f"{VIRTUAL_ADDRESS}/32", "dev", interface, check=False)
            for family in ("-4", "-6"):
                for line in run("ip", "-n", router, family, "rule", "show", check=False).splitlines():
                    if line.split(":")[0] in ("114", "115"):
                        run("ip", "-n", router, family, "rule", "delete", "preference", line.split(":")[0], check=False)
            run("ip", "-n", router, "-6", "route", "flush", "table", "all", "proto", "114", check=False)


def gateway_address(router):
    """A gateway's address on the inside network, which is what r2's route to the branch points to."""
    return f"10.2.0.{router[1:]}"


class Watch:
    """Captures on the outside switch and at r5, a pinger from r6, and the counters before; then the verdict."""

    def __init__(self, world, *, interval_milliseconds=10, inject=None):
        self.world, self.injector_target = world, inject
        self.errors_before = traffic.sequence_errors("r5")
        self.spis_before = traffic.live_spis("r5")
        self.outside = capture.Capture("sw-out")
        self.branch = capture.Capture("r5", "eth1")
        self.pinger = traffic.Pinger(interval_milliseconds=interval_milliseconds)
        self.injector = None
        self.monitors = [Monitor("r2", "route"), *(AddressMonitor(router) for router in world.here),
                         *(Monitor(router, "route") for router in world.here)]
        self.pinger.wait_for_answer(10)
        self.started = time.monotonic()

    def inject(self, gateway):
        """Starts injecting packets for the branch at a gateway's inside port."""
        self.injector = traffic.Injector(gateway)

    def wait_for_ping(self, seconds, after):
        """Waits until pings sent after a moment are answered."""
        self.pinger.wait_for_answer(seconds, after)

    def finish(self):
        """Stops the instruments and returns what they saw."""
        if self.injector:
            self.injector.stop()
        self.stopped = time.monotonic()
        self.echoes = self.pinger.stop()
        self.route_changes, *changes = [monitor.stop() for monitor in self.monitors]
        here = len(self.world.here)
        self.address_changes, self.reverse_route_changes = changes[:here], changes[here:]
        self.packets = self.outside.stop()
        self.at_branch = self.branch.stop()
        self.errors = traffic.sequence_errors("r5") - self.errors_before
        self.spis_after = traffic.live_spis("r5")
        self.world.watches.remove(self)
        return self

    def abandon(self):
        """Stops the instruments without looking at what they saw."""
        if self.injector:
            self.injector.stop()
        for monitor in self.monitors:
            monitor.stop()
        for instrument in (self.pinger, self.outside, self.branch):
            system.end(instrument.process, 2)

    # The promises, each with its sentence.

    def expect_no_sequence_errors(self):
        expect(self.errors == 0, f"r5 refused {self.errors} packets for their sequence numbers")

    def expect_no_repeated_pair(self):
        gateways = [packet for packet in self.packets if packet.port in GATEWAYS]
        for name, packets in (("the gateways sent", gateways), ("r5 saw", self.at_branch)):
            pairs = capture.repeated_pairs(packets)
            expect(not pairs, f"{name} {len(pairs)} pairs of SPI and sequence number twice, first {pairs[:3]}")

    def expect_one_sender(self, old, new, after):
        late = capture.late_packets(self.packets, old, new, after)
        expect(not late, f"{old} sent {len(late)} ESP packets after the first of {new}")

    def expect_same_spis(self):
        expect(self.spis_before and self.spis_before <= self.spis_after,
               f"the SPIs changed: {sorted(self.spis_before)} before, {sorted(self.spis_after)} after")

    def expect_whole_again(self, after, seconds):
        duration = self.outage(after)
        expect(duration <= seconds, f"r6 could not reach r2 for {duration:.2f} s, promised are {seconds} s")

    def expect_all_accepted(self):
        """Every ESP packet that a gateway emitted reached r5 and was accepted."""
        expect(self.errors == 0, f"r5 refused {self.errors} packets for their sequence numbers")
        sent = {(packet.spi, packet.sequence) for packet in self.packets
                if packet.kind == "esp" and packet.port in GATEWAYS}
        seen = {(packet.spi, packet.sequence) for packet in self.at_branch if packet.kind == "esp"}
        expect(sent <= seen, f"{len(sent - seen)} emitted ESP packets never reached r5")

    # Measures.

    def outage(self, after):
        """Seconds of the longest time without an answered ping after a moment."""
        return traffic.longest_outage(self.echoes, after - 0.5, self.stopped - 0.5)[0]

    def lost(self, after=None):
        return traffic.lost(self.echoes, after, self.stopped - 0.5)

    def lost_between(self, start, stop):
        """How many pings sent between two moments were never answered; may be asked while the watch goes on."""
        return traffic.lost(self.pinger.echoes(), start, stop)

    def first_esp_milliseconds(self, gateway, after):
        """Milliseconds from a moment to the first ESP packet of a gateway, or None."""
        seconds = capture.first_esp_after(self.packets, gateway, after)
        return None if seconds is None else seconds * 1000

    def address_milliseconds(self, gateway, after):
        """Milliseconds from a moment until the virtual address stood on a gateway, or None."""
        for at, line in self.address_changes[GATEWAYS.index(gateway)]:
            if at >= after and f" {self.world.virtual_address}/" in line and "Deleted" not in line:
                return (at - after) * 1000
        return None

    def route_milliseconds(self, gateway, after):
        """Milliseconds from a moment until r2's kernel sent the branch's packets to a gateway alone, or None."""
        for at, line in self.route_changes:
            if (at >= after and line.startswith("10.0.0.6 ") and f"via {gateway_address(gateway)} " in line
                    and "nexthop" not in line):
                return (at - after) * 1000
        return None

    def esp_of(self, gateway, after, before=None):
        return [packet for packet in capture.esp_from(self.packets, gateway)
                if packet.at >= after and (before is None or packet.at < before)]
