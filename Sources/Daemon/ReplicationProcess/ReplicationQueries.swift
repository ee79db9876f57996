// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

extension ReplicationProcess {
    /// Answers a query of front, at once or when charon has listed its SAs.
    func answer(_ number: UInt32, _ text: [UInt8]) {
        guard let request = try? decodeJSON(ControlRequest.self, from: text) else {
            count("query.malformed")
            return send(ErrorView(code: "malformed", message: "The query is not a request."), number)
        }
        switch request.command {
        case .showRedundancy where replicator != nil: send(redundancyView(listing: nil), number)
        case .showRedundancy: withListing { [unowned self] in send(redundancyView(listing: $0), number) }
        case .showAssociation: send(associationView(), number)
        case .showISAKMP: answerPaced(number) { $0.isakmpText($1 ?? []) }
        case .showIPsec: answerPaced(number) { $0.ipsecText($1) }
        case .showSession: answerPaced(number) { $0.sessionText($1) }
        case .showCounters: send(CountersView(allCounts), number)
        default:
            count("query.unexpected")
            send(ErrorView(code: "not-mine", message: "Replication does not answer this query."), number)
        }
    }

    private func answerPaced(
        _ number: UInt32, _ text: @escaping (CryptoViews, [ListedIKE]?) -> AnyIterator<[UInt8]>
    ) {
        guard let front else { return }
        let answer = PacedAnswer(to: number, over: front, on: reactor)
        if replicator != nil {
            withTables { answer.write(text($0, nil)) }
        } else {
            withListing { [unowned self] in answer.write(text(cryptoViews, $0)) }
        }
    }

    private func withListing(_ body: @escaping ([ListedIKE]?) -> Void) {
        kernel?.refreshSAs()
        guard let charon else { return body(nil) }
        charon.list(body)
    }

    /// The views of what only the kernel knows.
    private func withTables(_ body: @escaping (CryptoViews) -> Void) {
        let ends = scheme?.virtualAddresses ?? []
        TableCollector.collect(on: reactor) { sa in
            ends.contains(sa.source) || ends.contains(sa.identity.destination)
        } body: { [unowned self] tables in
            body(
                CryptoViews(
                    scheme: scheme, isActive: role?.isActive ?? false, sas: SAIndex(tables.sas, ends: ends),
                    policies: tables.policies, connections: []))
        }
    }

    private func send(_ view: some Encodable, _ number: UInt32) {
        let text = encodeJSON(view)
        var start = 0
        repeat {
            let end = min(start + ProcessMessage.maximumAnswerByteCount, text.count)
            front?.send(.answer(number: number, isLast: end == text.count, text: Array(text[start..<end])))
            start = end
        } while start < text.count
    }

    private var allCounts: [String: Int] {
        var all = counts
        for channel in [supervisor, failover, front].compactMap(\.self) {
            for (name, value) in channel.counters { all[name, default: 0] += Int(clamping: value) }
        }
        return all
    }

    private var cryptoViews: CryptoViews {
        CryptoViews(
            scheme: scheme, isActive: role?.isActive ?? false,
            sas: SAIndex(kernel?.sas ?? [:], ends: scheme?.virtualAddresses ?? []),
            policies: kernel?.policies() ?? [], connections: charon?.connections ?? [])
    }

    private func redundancyView(listing: [ListedIKE]?) -> RedundancyView {
        var view = RedundancyView()
        view.state = redundancy.state.description
        view.peerState = session.peerReport?.state.description
        view.communications = session.phase == .established && !session.isPeerSilent ? "Up" : "Down"
        view.scheme = model.scheme
        view.stateful = isReplicating
        view.term = Int(clamping: role?.term ?? 0)
        view.switchovers = redundancy.switchoverCount
        view.unacknowledgedRecords = session.unacknowledgedCount
        view.oldestUnacknowledgedMilliseconds = session.oldestUnacknowledged.map {
            reactor.now.since($0).milliseconds
        }
        if scheme?.isSecured == true { view.security = association?.isSecured == true ? "TLS 1.3" : "TLS 1.3, down" }
        view.virtualAddresses = (scheme?.virtualAddresses ?? []).sorted().map(\.description)
        view.missingForHot = missingForHot
        view.warnings =
            session.differences + [kernel?.fault, replicator?.visibleFault].compactMap(\.self) + numbers.warnings
        view.ikeSAs = listing?.count ?? 0
        view.childSAs = (replicator?.machine.table.saCount ?? kernel?.sas.count ?? 0) / 2
        if let charon { view.ikeDaemon = daemonView(charon) }
        view.history = zip(redundancy.history, historyTimes).map { change, time in
            .init(time: time, from: change.from.description, to: change.to.description, reason: change.reason)
        }
        return view
    }

    private var missingForHot: [String] {
        guard redundancy.state.isActive else { return redundancy.missing }
        var missing: [String] = []
        if let fault = association?.fault { missing.append(fault) }
        if session.phase != .established { missing.append("no session with the peer") }
        if let report = session.peerReport, report.state != .standbyHot {
            missing.append("the peer says \(report.state)")
        }
        if isReplicating, !keeper.isAuthoritative { missing.append("this node's own records are not complete") }
        if session.isOverdue { missing.append("records are not acknowledged in time") }
        return missing
    }

    private func daemonView(_ charon: CharonDriver) -> RedundancyView.IKEDaemon {
        var view = RedundancyView.IKEDaemon()
        view.reachable = charon.release != nil
        view.version = charon.release
        view.haPlugin = charon.isPluginHeard
        view.connections = charon.connections.map(\.name)
        return view
    }

    private func associationView() -> AssociationView {
        var view = AssociationView()
        guard let configured = scheme?.association, let association else { return view }
        var shown = AssociationView.Association()
        shown.id = configured.number
        shown.localPort = configured.localPort
        shown.remotePort = configured.remotePort
        shown.detail = association.fault
        shown.secured = association.isSecured
        shown.identity = association.identity?.description
        shown.peerIdentity = association.peerIdentity?.description
        shown.uptimeMilliseconds = association.upSince.map { reactor.now.since($0).milliseconds }
        shown.established = association.establishedCount
        shown.messagesSent = association.sentMessages
        shown.messagesReceived = association.receivedMessages
        shown.bytesSent = association.sentBytes
        shown.bytesReceived = association.receivedBytes
        shown.backlogRecords = session.unacknowledgedCount
        shown.backlogBytes = session.backlogByteCount
        if let status = association.status() {
            shown.state = status.state
            shown.retransmissions = Int(clamping: status.retransmittedChunks)
            shown.paths = status.paths.map { path in
                var shown = AssociationView.Path(
                    local: path.local.description, remote: path.remote.description, state: path.state)
                shown.roundTripMicroseconds = path.roundTripMilliseconds * 1000
                shown.primary = path.remote == status.primary
                return shown
            }
        }
        view.association = shown
        return view
    }
}
