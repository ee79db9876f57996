// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import Tracking

/// Looks for tracked processes and files; `PresenceMachine` decides.
final class PresenceRunner {
    /// Gets what is to be told to failover.
    var onReport: (ProbeReport) -> Void = { _ in }

    private let reactor: Reactor
    private var machine = PresenceMachine()
    private var connector: ProcessConnector?
    private var timer: TimerToken?
    private var relist: TimerToken?
    private static let lookInterval = Interval.seconds(1)
    /// From lost events to a listing, so that a machine that starts processes by the thousand is not listed all the time.
    private static let relistPause = Interval.milliseconds(200)

    init(on reactor: Reactor) { self.reactor = reactor }

    func configure(processes: [Int: String], files: [Int: String]) {
        handle(.configured(processes: processes, files: files))
        connector?.cancel()
        connector = nil
        // Where the kernel does not tell (another network namespace), the listing of each second has to do.
        if machine.wantsProcesses { connector = try? ProcessConnector(on: reactor) { [unowned self] in hear($0) } }
        look(listsProcesses: true)
    }

    /// Failover is new, and hears everything again.
    func listenerStarted() { handle(.listenerStarted) }

    private func hear(_ event: ProcessConnector.Event) {
        switch event {
        case .process(.renamed(let process)):
            guard let name = ProcessList.name(of: process) else { return }
            handle(.ran(process: process, name: name))
        case .process(.ended(let process)): handle(.ended(process: process))
        case .overrun:
            guard relist == nil else { return }
            relist = reactor.schedule(at: Reactor.now() + Self.relistPause) { [unowned self] in
                relist = nil
                handle(.listed(ProcessList.all()))
            }
        }
    }

    private func look(listsProcesses: Bool) {
        if let timer { reactor.cancel(timer) }
        timer = nil
        if machine.wantsProcesses, listsProcesses { handle(.listed(ProcessList.all())) }
        for path in machine.files { handle(.looked(path: path, isThere: fileExists(path))) }
        let polls = machine.wantsProcesses && connector == nil
        guard polls || !machine.files.isEmpty else { return }
        timer = reactor.schedule(at: Reactor.now() + Self.lookInterval) { [unowned self] in
            look(listsProcesses: polls)
        }
    }

    private func handle(_ event: PresenceMachine.Event) {
        var actions: [PresenceMachine.Action] = []
        machine.handle(event, actions: &actions)
        for action in actions {
            switch action {
            case .list: handle(.listed(ProcessList.all()))
            case .report(let report): onReport(report)
            }
        }
    }
}
