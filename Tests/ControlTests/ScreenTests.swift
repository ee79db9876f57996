// SPDX-License-Identifier: Apache-2.0

import Control
import Testing

@Suite("Words of show")
struct ScreenTests {
    @Test(
        "words may be abbreviated",
        arguments: [
            ("standby", "standby"), ("st b", "standby brief"), ("tr", "track"), ("red states", "redundancy states"),
            ("redundancy i", "redundancy inter-device"), ("ipc assoc", "ipc association"),
            ("cry isa sa", "crypto isakmp sa"), ("crypto ses d", "crypto session detail"),
            ("run", "running-config"), ("RUN sec", "running-config secrets"), ("v", "version"),
        ])
    func found(typed: String, meant: String) throws {
        #expect(try Screen.find(words(typed)).words == words(meant))
    }

    @Test(
        "what is no screen is answered with what was expected",
        arguments: [
            ("", "expected counters, crypto, ipc"), ("foo", "found `foo`"),
            ("crypto", "expected ipsec, isakmp, session"),
            ("c", "may mean counters or crypto"), ("standby x", "expected brief after `show standby`"),
            ("version x", "expected nothing after `show version`"), ("crypto is", "expected sa after `show crypto is`"),
        ])
    func missing(typed: String, message: String) {
        let error = #expect(throws: ScreenError.self) { try Screen.find(words(typed)) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("every screen draws an empty view and refuses nonsense")
    func drawing() throws {
        let empty: [ControlRequest.Command: [UInt8]] = [
            .showStandby: encodeJSON(StandbyView()), .showTrack: encodeJSON(TrackView()),
            .showRedundancy: encodeJSON(RedundancyView()), .showAssociation: encodeJSON(AssociationView()),
            .showISAKMP: encodeJSON(ISAKMPView()), .showIPsec: encodeJSON(IPsecView()),
            .showSession: encodeJSON(SessionView()), .showVersion: encodeJSON(VersionView()),
            .showCounters: encodeJSON(CountersView()), .showLogging: encodeJSON(LoggingView()),
            .showRunningConfiguration: encodeJSON(RunningConfigurationView(text: "!\n")),
        ]
        for screen in Screen.all {
            let answer = try #require(empty[screen.request.command])
            _ = try screen.text(for: answer)
            #expect(throws: ControlError.self) { try screen.text(for: [1, 2]) }
        }
    }

    @Test("metrics are counters and gauges in Prometheus' text form")
    func metrics() {
        var redundancy = RedundancyView()
        redundancy.peerState = "STANDBY HOT"
        redundancy.communications = "Up"
        redundancy.term = 3
        let text = Metrics.text(counters: CountersView(["a\"b": 1]), standby: nil, redundancy: redundancy)
        #expect(text.hasPrefix("# TYPE havpn_events_total counter\nhavpn_events_total{name=\"a\\\"b\"} 1\n"))
        #expect(text.contains("\nhavpn_standby_hot 1\n"))
        #expect(text.contains("\nhavpn_term 3\n"))
    }

    @Test("late hellos are counted by range, and become a histogram whose buckets add up")
    func helloLateness() {
        var counters: [String: Int] = [:]
        for nanoseconds: UInt64 in [0, 1_000_000, 1_000_001, 9_000_000, 299_000_000, 300_000_001] {
            counters[HelloLateness.counter(nanoseconds: nanoseconds), default: 0] += 1
        }
        let text = Metrics.text(counters: CountersView(counters), standby: nil, redundancy: nil)
        let buckets = text.split(separator: "\n").filter { $0.hasPrefix("havpn_hello_lateness") }
        #expect(buckets.map { $0.split(separator: " ")[1] } == ["2", "3", "4", "4", "4", "5", "6", "6"])
        #expect(!Metrics.text(counters: CountersView([:]), standby: nil, redundancy: nil).contains("lateness"))
    }

    private func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }
}
