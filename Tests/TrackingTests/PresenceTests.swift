// SPDX-License-Identifier: Apache-2.0

import Testing
import Tracking

@Suite("Processes and files")
struct PresenceTests {
    private struct Bench {
        var machine = PresenceMachine()

        mutating func tell(_ event: PresenceMachine.Event) -> [String] {
            var actions: [PresenceMachine.Action] = []
            machine.handle(event, actions: &actions)
            return actions.map { action in
                guard case .report(let report) = action, let seen = report.observation else { return "list" }
                return "\(report.object) \(seen.isUp ? "up" : "down")\(seen.reason.map { " (\($0))" } ?? "")"
            }
        }

        static func watching(_ processes: [Int: String], files: [Int: String] = [:]) -> Bench {
            var bench = Bench()
            _ = bench.tell(.configured(processes: processes, files: files))
            return bench
        }
    }

    @Test("a process is there as long as one of that name lives")
    func processes() {
        var bench = Bench.watching([1: "charon", 2: "bird"])
        #expect(bench.machine.wantsProcesses)
        #expect(bench.tell(.listed([10: "charon", 11: "sh"])) == ["1 up", "2 down (no such process)"])
        #expect(bench.tell(.ran(process: 12, name: "charon")) == [])
        #expect(bench.tell(.ran(process: 13, name: "sh")) == [])
        #expect(bench.tell(.ended(process: 10)) == ["list"])
        #expect(bench.tell(.listed([10: "charon", 12: "charon"])) == [])
        #expect(bench.tell(.ended(process: 12)) == ["list"])
        #expect(bench.tell(.listed([12: "charon", 14: "sh"])) == ["1 down (no such process)"])
        #expect(bench.tell(.ended(process: 14)) == [])
        #expect(bench.tell(.ran(process: 15, name: "charon")) == ["1 up"])
        #expect(bench.tell(.ran(process: 15, name: "other")) == ["1 down (no such process)"])
    }

    @Test("a daemon that leaves a copy of itself behind is still there")
    func daemons() {
        var bench = Bench.watching([1: "charon"])
        _ = bench.tell(.listed([:]))
        #expect(bench.tell(.ran(process: 20, name: "charon")) == ["1 up"])
        #expect(bench.tell(.ended(process: 20)) == ["list"])
        #expect(bench.tell(.listed([20: "charon", 21: "charon"])) == [])
    }

    @Test("a file is there or not; nothing is said twice, but all again to a new listener")
    func files() {
        var bench = Bench.watching([:], files: [5: "/run/a", 6: "/run/b", 7: "/run/a"])
        #expect(!bench.machine.wantsProcesses && bench.machine.files == ["/run/a", "/run/b"])
        #expect(bench.tell(.looked(path: "/run/a", isThere: true)) == ["5 up", "7 up"])
        #expect(bench.tell(.looked(path: "/run/a", isThere: true)) == [])
        #expect(bench.tell(.looked(path: "/run/b", isThere: false)) == ["6 down (no such file)"])
        #expect(bench.tell(.listenerStarted) == ["5 up", "6 down (no such file)", "7 up"])
        #expect(
            bench.tell(.looked(path: "/run/a", isThere: false)) == ["5 down (no such file)", "7 down (no such file)"])
    }

    @Test("a reload forgets what is watched no more")
    func reload() {
        var bench = Bench.watching([1: "charon"], files: [5: "/run/a"])
        _ = bench.tell(.listed([10: "charon"]))
        _ = bench.tell(.looked(path: "/run/a", isThere: true))
        #expect(bench.tell(.configured(processes: [1: "charon"], files: [5: "/run/b"])) == [])
        #expect(bench.tell(.listenerStarted) == ["1 up"])
        #expect(bench.tell(.listed([10: "charon"])) == [])
        #expect(bench.tell(.looked(path: "/run/b", isThere: true)) == ["5 up"])
    }
}
