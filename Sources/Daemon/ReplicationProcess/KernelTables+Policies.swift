// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import SecurityAssociations

/// A reading of all policies, piece by piece.
struct PolicyReading {
    var dump: NetlinkDump
    var number: Int
}

extension KernelTables {
    /// The pause before policies that could not be read are read again.
    private static var readingRetry: Interval { .seconds(1) }

    /// Reads all policies anew, in pieces between other work.
    func readPolicies() {
        let number = (policyReading?.number ?? 0) + 1
        tunnels.beginReading()
        do {
            policyReading = PolicyReading(dump: try NetlinkDump(.xfrm, XFRMRequest.dumpPolicies()), number: number)
            schedulePolicyStep(number, after: .zero)
        } catch {
            policyReading = nil
            count("kernel.dumpFailed")
            reactor.schedule(at: reactor.now + Self.readingRetry) { [weak self] in
                guard let self, policyReading == nil else { return }
                readPolicies()
            }
        }
    }

    private func schedulePolicyStep(_ number: Int, after pause: Interval) {
        reactor.schedule(at: reactor.now + pause) { [weak self] in
            guard let self, let reading = policyReading, reading.number == number else { return }
            step(reading)
        }
    }

    private func step(_ reading: PolicyReading) {
        switch reading.dump.next() {
        case .messages(let messages):
            for message in messages {
                guard case .stands(.policy(let policy))? = try? policyReader.read(message, nowSeconds: 0) else {
                    continue
                }
                noteRead(policy)
            }
            schedulePolicyStep(reading.number, after: .zero)
        case .finished:
            policyReading = nil
            notePoliciesRead()
        case .failed:
            count("kernel.dumpFailed")
            reactor.schedule(at: reactor.now + Self.readingRetry) { [weak self] in
                guard let self, policyReading?.number == reading.number else { return }
                readPolicies()
            }
        }
    }

    /// Takes an event about a policy.
    func takePolicy(_ message: NetlinkMessage) {
        switch try? policyReader.read(message, nowSeconds: 0) {
        case .stands(.policy(let policy)): note(policy)
        case .removed(.policy(let key)), .expired(.policy(let key)): remove(key)
        case .flushed:
            bypass.noteFlush()
            readPolicies()
        default: break
        }
    }

    /// A policy of ours came or changed.
    func note(_ policy: ReplicatedPolicy) {
        noteLocalNetwork(of: policy)
        take(tunnels.note(policy, scheme: scheme))
    }

    /// A policy of ours stands in a piece of a reading.
    func noteRead(_ policy: ReplicatedPolicy) {
        noteLocalNetwork(of: policy)
        take(tunnels.noteRead(policy, scheme: scheme))
    }

    /// A policy of ours went.
    func remove(_ key: PolicyKey) {
        take(tunnels.remove(key))
        if tunnels.isReadingSpoiled, policyReading != nil { readPolicies() }
    }

    /// A full reading, whoever made it, is at its end.
    func notePoliciesRead() {
        let isFirst = !arePoliciesRead
        arePoliciesRead = true
        take(tunnels.endReading())
        if isFirst { onRoutesAffected() }
    }

    private func take(_ change: TunnelPolicies.Change) {
        switch change {
        case .nothing: break
        case .needs: onRoutesAffected()
        case .refused: count("routes.policyLimit")
        }
    }
}
