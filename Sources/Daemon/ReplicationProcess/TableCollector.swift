// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import SecurityAssociations

/// Reads the kernel's SAs and policies for a screen, a piece at a time, so that no screen holds up the heartbeats.
final class TableCollector {
    /// What was found; SAs and policies that do not decode are left out.
    struct Tables {
        var sas: [SAIdentity: KernelSA] = [:]
        var policies: [KernelPolicy] = []
    }

    private let reactor: Reactor
    private let isOurs: (KernelSA) -> Bool
    private let body: (Tables) -> Void
    private var tables = Tables()
    private var dump: NetlinkDump?
    private var isAtPolicies = false

    private init(on reactor: Reactor, isOurs: @escaping (KernelSA) -> Bool, body: @escaping (Tables) -> Void) {
        self.reactor = reactor
        self.isOurs = isOurs
        self.body = body
    }

    /// Calls `body` when everything was read; with what there is where the kernel refuses.
    static func collect(on reactor: Reactor, isOurs: @escaping (KernelSA) -> Bool, body: @escaping (Tables) -> Void) {
        let collector = TableCollector(on: reactor, isOurs: isOurs, body: body)
        collector.dump = try? NetlinkDump(.xfrm, XFRMRequest.dumpSAs())
        collector.schedule()
    }

    // The timer keeps the collector alive until it is done.
    private func schedule() { reactor.schedule(at: reactor.now) { self.step() } }

    private func step() {
        switch dump?.next() {
        case .messages(let messages):
            if isAtPolicies {
                tables.policies += messages.compactMap { try? KernelPolicy(parsing: $0) }
            } else {
                for case let sa? in messages.map({ try? KernelSA(parsing: $0) }) where isOurs(sa) {
                    tables.sas[sa.identity] = sa
                }
            }
            schedule()
        case .finished where !isAtPolicies:
            isAtPolicies = true
            dump = try? NetlinkDump(.xfrm, XFRMRequest.dumpPolicies())
            schedule()
        case .finished, .failed, nil: body(tables)
        }
    }
}
