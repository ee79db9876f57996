# SPDX-License-Identifier: Apache-2.0
"""What a standby is while it waits: reachable, and heir to SAs that age."""

import time

from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, run, wait_until

INSIDE = {"r3": "10.2.0.3", "r4": "10.2.0.4"}


def _answers(target):
    return run("ping", "-c", "1", "-W", "1", target, namespace="r6", check=False).count(" 0% packet loss") == 1


def _bypass(router):
    """This node's own addresses that pass beside the tunnels."""
    policies = run("ip", "-n", router, "xfrm", "policy").split("src ")
    clear = (policy for policy in policies if "tmpl" not in policy and "socket" not in policy)
    return sorted(policy.split("/32 dst 0.0.0.0/0")[0] for policy in clear if "/32 dst 0.0.0.0/0" in policy)


@scenario("both gateways answer the branch from inside the tunnel's network, before and after a switchover")
def reachable(world):
    world.begin(inside="10.2.0.0/24")
    world.bring_tunnel_up()
    for active, standby in (("r3", "r4"), ("r4", "r3")):
        for router in (active, standby):
            wait_until(lambda router=router: _answers(INSIDE[router]), 20,
                       f"{router} does not answer r6 while {active} is Active", pause=0.3)
        expect(_bypass(standby) == [INSIDE[standby]], f"{standby} lets pass: {_bypass(standby)}")
        expect(_bypass(active) == [], f"{active} lets pass: {_bypass(active)}")
        if active == "r3":
            world.gateways["r3"].control("switchover")
            world.gateways["r4"].wait_for_state("Active", 10)
            world.wait_for_hot("r3", "r4")


@scenario("a child SA that passed its soft end on the standby is rekeyed behind the takeover, without a lost packet", long=True)
def overdue(world):
    world.begin(Settings(timers="1 3"), rekey_seconds={"r4": 15})
    world.bring_tunnel_up()
    time.sleep(22)
    before = world.charons["r4"].associations()[0][3]
    expect(before == world.charons["r3"].associations()[0][3], "r3 and r4 show different child SAs")
    world.gateways["r3"].control("switchover")
    world.gateways["r4"].wait_for_state("Active", 10)
    watch = world.watch()
    start = time.monotonic()
    wait_until(lambda: world.gateways["r4"].counters().get("journal.overdueRekey", 0) == 1, 20,
               "r4 did not rekey the child that is past its soft end")
    taken = time.monotonic() - start
    wait_until(lambda: [child[1:] for child in world.charons["r4"].associations()[0][3] if child[0] == "INSTALLED"]
               not in ([], [child[1:] for child in before]), 10, "the child SA is still the old one")
    time.sleep(8)
    count = world.gateways["r4"].counters()["journal.overdueRekey"]
    expect(count == 1, f"{count} rekeys were asked for")
    watch.finish()
    watch.expect_no_sequence_errors()
    expect(watch.lost() == 0, f"{watch.lost()} packets were lost in the rekey")
    return f"asked for after {taken:.1f} s"
