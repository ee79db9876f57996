// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import LinuxIO
import Primitives

/// What front answers itself, and whom it asks for the rest.
extension FrontNode {
    func serve(_ client: ControlClient, _ request: ControlRequest) {
        if request.command.needsPrivilege, !mayChange(client) {
            count("control.denied")
            return client.refuse(
                "not-permitted",
                "`\(request.command.rawValue)` needs root or membership of group \(Release.administratorGroup)")
        }
        switch request.command {
        case .showStandby, .showTrack: forward(client, request, to: .failover)
        case .showRedundancy: showRedundancy(client)
        case .showAssociation, .showISAKMP, .showIPsec, .showSession:
            forward(client, request, to: .replication)
        case .switchover:
            // Failover gives up first and says why.
            forward(client, request, to: .failover, milliseconds: Control.Limits.switchoverMilliseconds + 1000)
        case .showRunningConfiguration: showConfiguration(client, request)
        case .showVersion: client.answer(encodeJSON(versionView))
        case .showLogging: client.answer(encodeJSON(ring.view))
        case .showCounters: gatherCounters { client.answer(encodeJSON($0)) }
        case .metrics: gatherMetrics { client.answer(encodeJSON(MetricsView(text: $0))) }
        case .monitor: client.follow()
        case .reload: reload(client)
        }
    }

    private func mayChange(_ client: ControlClient) -> Bool {
        guard let peer = client.peer else { return false }
        if peer.user == 0 { return true }
        return Privileges.group(named: Release.administratorGroup).map(peer.groups.contains) ?? false
    }

    /// Replication's view, with state and term of the scheme's group as failover knows them.
    private func showRedundancy(_ client: ControlClient) {
        let questions: [(ProcessRole, ControlRequest)] = [
            (.replication, ControlRequest(.showRedundancy)), (.failover, ControlRequest(.showStandby)),
        ]
        queries.askAll(questions) { [weak client] answers in
            guard let answer = answers[0] else {
                client?.refuse("unavailable", "the replication process does not answer at the moment; try again")
                return
            }
            guard var view = try? decodeJSON(RedundancyView.self, from: answer) else {
                client?.answer(answer)
                return
            }
            let standby = answers[1].flatMap { try? decodeJSON(StandbyView.self, from: $0) }
            if let scheme = view.scheme, let group = standby?.groups.first(where: { $0.name == scheme }) {
                view.groupState = group.state
                // A standby learns of the Active's takeover by its hellos and role messages.
                view.term = max(view.term, group.term ?? 0)
            }
            view.foreignActives = (standby?.groups ?? []).compactMap { group in
                group.otherActive.map { .init(interface: group.interface, group: group.group, address: $0.address) }
            }
            client?.answer(encodeJSON(view))
        }
    }

    private func forward(
        _ client: ControlClient, _ request: ControlRequest, to role: ProcessRole,
        milliseconds: Int = Control.Limits.queryMilliseconds
    ) {
        queries.ask(role, request, milliseconds: milliseconds) { [weak client] outcome in
            switch outcome {
            case .answered(let text): client?.answer(text)
            case .unavailable:
                client?.refuse("unavailable", "the \(role) process does not answer at the moment; try again")
            }
        }
    }

    private func showConfiguration(_ client: ControlClient, _ request: ControlRequest) {
        guard let model else { return client.refuse("unavailable", "no configuration has been accepted yet") }
        let wantsSecrets = request.secrets ?? false
        guard !wantsSecrets || client.peer?.user == 0 else {
            count("control.denied")
            return client.refuse("not-permitted", "`show running-config secrets` needs root")
        }
        client.answer(encodeJSON(RunningConfigurationView(text: print(model, secrets: wantsSecrets))))
    }

    private var versionView: VersionView {
        var view = VersionView()
        view.version = Release.version
        view.hostname = model?.hostname ?? ""
        view.kernel = SystemName.kernelRelease
        view.uptimeMilliseconds = Reactor.now().since(startedAt).milliseconds
        view.configurationRevision = revision.map(Int.init)
        return view
    }

    private func reload(_ client: ControlClient) {
        let timer = reactor.schedule(at: Reactor.now() + .milliseconds(Control.Limits.reloadMilliseconds)) {
            [weak self] in
            self?.finishReloads { $0.refuse("timeout", "the configuration was not read in time; see the log") }
        }
        reloads.append(Reload(client: client, timer: timer))
        supervisor.send(.reloadRequested)
    }

    // MARK: Counters

    private func gatherCounters(_ completion: @escaping (CountersView) -> Void) {
        let request = ControlRequest(.showCounters)
        queries.askAll([(.failover, request), (.replication, request)]) { [unowned self] answers in
            completion(CountersView(merged(with: answers)))
        }
    }

    private func merged(with answers: [[UInt8]?]) -> [String: Int] {
        var all = counters.mapValues { Int(clamping: $0) }
        let channels = [supervisor] + others.values
        for channel in channels {
            for (name, value) in channel.counters { all[name, default: 0] += Int(clamping: value) }
        }
        for case let answer? in answers {
            guard let view = try? decodeJSON(CountersView.self, from: answer) else { continue }
            for (name, value) in view.counters { all[name, default: 0] += value }
        }
        return all
    }

    private func gatherMetrics(_ completion: @escaping (String) -> Void) {
        let questions: [(ProcessRole, ControlRequest)] = [
            (.failover, ControlRequest(.showCounters)), (.replication, ControlRequest(.showCounters)),
            (.failover, ControlRequest(.showStandby)), (.replication, ControlRequest(.showRedundancy)),
        ]
        queries.askAll(questions) { [unowned self] answers in
            let standby = answers[2].flatMap { try? decodeJSON(StandbyView.self, from: $0) }
            let redundancy = answers[3].flatMap { try? decodeJSON(RedundancyView.self, from: $0) }
            let counters = CountersView(merged(with: Array(answers[..<2])))
            completion(Metrics.text(counters: counters, standby: standby, redundancy: redundancy))
        }
    }
}
