// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing
import Tracking

@Suite("track script, process, file, ip sla")
struct ProbeTests {
    @Test("a script and what stands under it")
    func scripts() throws {
        let model = try model(
            """
            track 1 script /etc/havpn/probe
            track 2 script "/etc/havpn/other probe"
             interval 30
             timeout 20
             rise 2
             fall 3
             user monitor
             default-state down
             delay up 7
            track 2 script "/etc/havpn/other probe"
             no rise
            """)
        #expect(model.scripts[1] == ScriptSettings(path: "/etc/havpn/probe"))
        var settings = ScriptSettings(path: "/etc/havpn/other probe")
        settings.intervalSeconds = 30
        settings.timeoutSeconds = 20
        settings.fall = 3
        settings.user = "monitor"
        #expect(model.scripts[2] == settings)
        #expect(model.trackedObjects[1].defaultState == .down && model.trackedObjects[1].delayUpSeconds == 7)
    }

    @Test("processes and files")
    func presence() throws {
        let model = try model("track 3 process charon\ntrack 4 file /run/havpn/ready\n delay down 2\n")
        #expect(model.processes == [3: "charon"] && model.files == [4: "/run/havpn/ready"])
    }

    @Test("ip sla, as a router prints it, before or after the object, by its former name too")
    func operations() throws {
        let model = try model(
            """
            track 1 ip sla 7
            track 2 ip sla 7 state
            track 3 rtr 7 reachability
            ip sla 7
             icmp-echo 10.1.0.5 source-interface eth1
              tag HEAD-OFFICE
              threshold 300
              timeout 800
              frequency 1
            ip sla schedule 7 life forever start-time now
            ip sla 8
             icmp-echo 10.1.0.6 source-ip 10.1.0.3
            ip sla schedule 8 start-time now life forever
            ip sla 9
             icmp-echo 10.1.0.7
            no ip sla 9
            """)
        #expect(
            model.trackedObjects.map(\.kind) == [
                .echo(operation: 7, .reachability), .echo(operation: 7, .state), .echo(operation: 7, .reachability),
            ])
        var first = EchoOperation(number: 7, destination: IPv4Address(10, 1, 0, 5))
        first.source = .interface("eth1")
        first.thresholdMilliseconds = 300
        first.timeoutMilliseconds = 800
        first.frequencySeconds = 1
        first.isScheduled = true
        var second = EchoOperation(number: 8, destination: IPv4Address(10, 1, 0, 6))
        second.source = .address(IPv4Address(10, 1, 0, 3))
        second.isScheduled = true
        #expect(model.echoOperations == [first, second])
        #expect(try ConfigurationTests.model(print(model, secrets: true)) == model)
    }

    @Test("ip sla stands under no interface, whatever the indentation, and other ip lines are still others'")
    func modes() throws {
        let text = """
            interface eth1
             ip address 10.1.0.3 255.255.255.0
             standby 10 ip 10.1.0.100
             ip sla 7
              icmp-echo 10.1.0.5
             ip sla schedule 7 life forever start-time now
            ip route 0.0.0.0 0.0.0.0 10.1.0.1
            ip sla enable reaction-alerts
            """
        let result = read(text)
        #expect(result.model?.echoOperations.map(\.number) == [7])
        #expect(result.warnings.contains { $0.message.contains("`ip address` and `ip route`") })
        #expect(result.warnings.contains { $0.message.contains("`ip sla`") && $0.message.contains("system") })
    }

    @Test(
        "faults name what was expected",
        arguments: [
            ("track 1 script probe", "expected an absolute path"),
            ("track 1 script /p\n user root", "never run as root"),
            ("track 1 script /p\n interval 2\n timeout 3", "longer than the interval"),
            ("track 1 script /p\n rise 0", "from 1 to 255"),
            ("track 1 file /p\n interval 2", "`interval` belongs under `track NUMBER script PATH`"),
            ("track 1 file /p\n default-state down", "`default-state` belongs under"),
            ("track 1 process a-name-that-is-too-long", "write `a-name-that-is-`"),
            ("track 1 ip sla 7 jitter", "expected `reachability` or `state`"),
            ("ip sla 7", "write `icmp-echo ADDRESS`"),
            ("ip sla 7\n icmp-echo 224.0.0.1", "expected a unicast address"),
            ("ip sla 7\n icmp-echo 10.0.0.1\n  vrf RED", "not available"),
            ("ip sla 7\n icmp-echo 10.0.0.1\n timeout 3000\n frequency 2", "longer than the frequency"),
            ("ip sla 7\n icmp-echo 10.0.0.1\n timeout 300\n threshold 500", "longer than the timeout"),
            ("ip sla 7\n icmp-echo 10.0.0.1\nip sla schedule 7 life 3600 start-time now", "expected `forever`"),
            ("ip sla 7\n icmp-echo 10.0.0.1\nip sla schedule 7 start-time now", "life forever start-time now"),
            ("ip sla monitor 7", "write `ip sla NUMBER`"),
            ("icmp-echo 10.0.0.1", "it belongs under `ip sla NUMBER`"),
            (
                "interface eth1\n standby 1 ip 10.0.0.9\nip sla 7\n icmp-echo 10.0.0.1 source-ip 10.0.0.9",
                "the virtual address of group 1 cannot ask"
            ),
        ])
    func faults(text: String, message: String) {
        let said = errors(text)
        #expect(said.count == 1 && said.first?.contains(message) == true, "\(said)")
    }

    @Test("what never runs is pointed out")
    func remarks() {
        #expect(warnings("ip sla 7\n icmp-echo 10.0.0.1").contains { $0.contains("the operation never runs") })
        #expect(warnings("track 1 ip sla 7").contains { $0.contains("operation 7 is not defined") })
        #expect(warnings("ip sla 7\n icmp-echo 10.0.0.1\n tos 5").contains { $0.contains("`tos` has no effect") })
    }

    @Test("limits are named")
    func limits() {
        func many(_ count: Int, _ line: (Int) -> String) -> [String] {
            errors((1...count).map(line).joined(separator: "\n"))
        }
        #expect(many(33) { "track \($0) script /p" }.first?.contains("33 tracked scripts; expected at most 32") == true)
        #expect(many(65) { "track \($0) file /p" }.first?.contains("at most 64") == true)
        #expect(many(65) { "ip sla \($0)\n icmp-echo 10.0.0.1" }.first?.contains("at most 64") == true)
    }
}
