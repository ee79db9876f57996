// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import StrongSwan

@Suite struct OverdueRekeyTests {
    private func listing(
        _ seconds: [Int64?], state: String = "ESTABLISHED", child: String = "INSTALLED"
    ) -> [ListedIKE] {
        var ike = listed(
            IKESPIPair(initiator: 1, responder: 2), state: state,
            children: seconds.indices.map { ChildSPIPair(inbound: UInt32($0 + 1), outbound: UInt32($0 + 1001)) })
        for (index, value) in seconds.enumerated() {
            ike.children[index].state = child
            ike.children[index].rekeySeconds = value
            ike.children[index].lifeSeconds = 1000 - Int64(index)
        }
        return [ike]
    }

    @Test("children past their soft end are named once; the others are charon's own matter")
    func once() {
        var overdue = OverdueRekeys()
        let list = listing([3, -4, -5, -300, nil])
        #expect(overdue.next(in: list) == [4, 3])
        #expect(overdue.next(in: list).isEmpty)
    }

    @Test("a takeover later they are named again")
    func again() {
        var overdue = OverdueRekeys()
        #expect(overdue.next(in: listing([-10])) == [1])
        overdue.forget()
        #expect(overdue.next(in: listing([-10])) == [1])
    }

    @Test("children that two nodes used are named whatever their age, once; later ones are not")
    func shared() {
        var overdue = OverdueRekeys()
        overdue.noteShared(in: listing([300, nil]), held: nil)
        #expect(overdue.sharedCount == 2)
        #expect(overdue.next(in: listing([300, nil, 300])) == [2, 1])
        #expect(overdue.sharedCount == 0)
        #expect(overdue.next(in: listing([300, nil, 300])).isEmpty)
        overdue.forget()
        overdue.noteShared(in: listing([300, nil]), held: [1002])
        #expect(overdue.next(in: listing([300, nil])) == [2])
        overdue.noteShared(in: listing([300]), held: nil)
        overdue.forget()
        #expect(overdue.next(in: listing([300])).isEmpty)
    }

    @Test("where other children have replaced those here, these are named, and no others")
    func strays() {
        var overdue = OverdueRekeys()
        overdue.noteShared(in: [], held: nil)
        overdue.noteStrays(of: [IKESPIPair(initiator: 9, responder: 9)])
        #expect(overdue.next(in: listing([300])).isEmpty)
        let name = IKESPIPair(initiator: 1, responder: 2)
        overdue.noteStrays(of: [name])
        // A charon that has not taken the role yet is asked when it has, and that once.
        #expect(overdue.next(in: listing([300], state: "PASSIVE")).isEmpty)
        #expect(overdue.next(in: listing([300])) == [1])
        #expect(overdue.next(in: listing([300])).isEmpty)
        // The VPN peer has other children still.
        overdue.noteStrays(of: [name])
        #expect(overdue.next(in: listing([300])) == [1])
        overdue.noteStrays(of: [name])
        overdue.forget()
        #expect(overdue.next(in: listing([300])).isEmpty)
    }

    @Test("a child that is being rekeyed and an SA that is not established are left alone")
    func busy() {
        var overdue = OverdueRekeys()
        #expect(overdue.next(in: listing([-10], child: "REKEYING")).isEmpty)
        #expect(overdue.next(in: listing([-10], state: "PASSIVE")).isEmpty)
    }

    @Test("no more than the limit at a time, those nearest to their hard end first")
    func limit() {
        var overdue = OverdueRekeys()
        let list = listing(Array(repeating: -10, count: Limits.overdueRekeyCount + 7))
        let first = overdue.next(in: list)
        #expect(first.count == Limits.overdueRekeyCount)
        #expect(first.first == UInt32(Limits.overdueRekeyCount + 7))
        #expect(overdue.next(in: list).count == 7)
    }
}
