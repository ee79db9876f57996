# SPDX-License-Identifier: Apache-2.0
"""HSRP's versions and its authentication on two gateways."""

from havpnlab import system
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, wait_until

_KEY = "hello key"
_MD5 = f'interface eth1\n standby 10 authentication md5 key-string "{_KEY}"\n'
_VERSION_2 = "interface eth1\n standby version 2\n"


def _settings(extra, timers="1 3"):
    return Settings(stateful=False, ike_daemon=False, timers=timers, extra=extra)


def _start_pair(world, first, second=None):
    """The two gateways alone, each with its settings; no IKE daemon runs."""
    for router, settings in (("r3", first), ("r4", second or first)):
        world.gateways[router] = world.gateway(router, settings).start()
    return world.gateways["r3"], world.gateways["r4"]


@scenario("with different keys neither node believes the other, which is counted and logged; the right key ends it")
def wrong_key(world):
    good, bad = _settings(_VERSION_2 + _MD5), _settings(_VERSION_2 + _MD5.replace(_KEY, "another key"))
    r3, r4 = _start_pair(world, good, bad)
    r3.wait_for_state("Active", 20)
    r4.wait_for_state("Active", 20)
    for gateway, other in ((r3, "10.1.0.4"), (r4, "10.1.0.3")):
        wait_until(lambda: gateway.counters().get("hello.badAuthentication", 0) > 3, 10,
                   f"{gateway.router} counts no bad authentication: {gateway.counters()}")
        lines = [line for line in gateway.log_lines() if "%HSRP-4-BADAUTH" in line]
        expect(len(lines) == 1 and f"Bad authentication from {other}, group 10, remote state" in lines[0],
               f"{gateway.router} logged {lines}")
        shown = gateway.control("show", "running-config") + gateway.control("show", "standby")
        expect("key-string <hidden>" in shown and "MD5, key-string" in shown, f"{gateway.router} shows {shown}")
        for key in (_KEY, "another key"):
            expect(key not in shown + system.read_text(gateway.log), f"{gateway.router} tells its key: {shown}")
    r4.settings = good
    r4.write_configuration()
    r4.control("reload")
    wait_until(lambda: sorted((r3.state(), r4.state())) == ["Active", "Standby"], 20,
               "with the same key the two nodes did not agree")
    return f"{r3.counters()['hello.badAuthentication']} messages refused at r3"
