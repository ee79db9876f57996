// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import Replication
import SecurityAssociations

extension KernelReplicator {
    /// How fast a reading goes.
    enum Pace {
        /// As fast as steps of a few milliseconds go.
        case hurried
        /// With pauses: numbers and what events may have missed.
        case unhurried
        /// As fast as the peer takes it.
        case copy
    }

    /// A full reading of SAs, then policies.
    struct Reading {
        var pace: Pace
        var dump: NetlinkDump
        var isAtPolicies = false
        /// What went while the tables were read, and may still stand in a piece.
        var removed: Set<RecordKey> = []
        var number: Int
        var isWaiting = false

        var isForCopy: Bool { pace == .copy }
    }

    /// Starts to read both tables anew; one that is under way is given up, but a copy goes on as a copy.
    ///
    /// Right behind a change of the role it waits.
    func startReading(_ wanted: Pace) {
        let pace = reading?.isForCopy == true || isCopyPostponed ? .copy : wanted
        lastReadingNumber += 1
        let number = lastReadingNumber
        isCopyPostponed = false
        if let start = hooks.longWorkStart() {
            reading = nil
            isCopyPostponed = pace == .copy
            reactor.schedule(at: start) { [weak self] in
                guard let self, lastReadingNumber == number else { return }
                startReading(pace)
            }
            return
        }
        do {
            reading = Reading(pace: pace, dump: try NetlinkDump(.xfrm, XFRMRequest.dumpSAs()), number: number)
        } catch {
            hooks.count("kernel.dumpFailed")
            reading = nil
            lastReading = reactor.now
            return
        }
        machine.beginReading()
        hooks.readingBegan()
        areKeysHidden = false
        if pace == .copy { hooks.copyBegun(UInt32(clamping: machine.table.count)) }
        scheduleStep(number, after: .zero)
    }

    /// The peer wants a copy: it is made of a reading.
    func startCopy() {
        reading = nil
        startReading(.copy)
    }

    /// The transport took something: a copy that waited for it goes on.
    func resumeCopy() {
        guard let reading, reading.isWaiting, hooks.backlogByteCount() < Limits.copyBacklogByteCount else { return }
        self.reading?.isWaiting = false
        scheduleStep(reading.number, after: .zero)
    }

    private func scheduleStep(_ number: Int, after pause: Interval) {
        reactor.schedule(at: reactor.now + pause) { [weak self] in
            guard let self, reading?.number == number else { return }
            if let start = hooks.longWorkStart() { return scheduleStep(number, after: start.since(reactor.now)) }
            step()
        }
    }

    /// Reads one piece.
    private func step() {
        guard let current = reading else { return }
        switch current.dump.next() {
        case .messages(let messages):
            for message in messages {
                if case .stands(let record)? = read(message) { note(record, isEvent: false) }
            }
            if (reading?.removed.count ?? 0) > Limits.removedWhileReading { return startReading(current.pace) }
            goOn(current)
        case .finished where current.isAtPolicies: finish(current)
        case .finished:
            do {
                reading?.dump = try NetlinkDump(.xfrm, XFRMRequest.dumpPolicies())
                reading?.isAtPolicies = true
                goOn(current)
            } catch {
                giveUp()
            }
        case .failed: giveUp()
        }
    }

    private func goOn(_ current: Reading) {
        switch current.pace {
        case .hurried: scheduleStep(current.number, after: .zero)
        case .unhurried: scheduleStep(current.number, after: Limits.readingPause)
        case .copy:
            hooks.changed()
            guard reading?.number == current.number else { return }
            if hooks.backlogByteCount() < Limits.copyBacklogByteCount {
                scheduleStep(current.number, after: .zero)
            } else {
                reading?.isWaiting = true
            }
        }
    }

    private func finish(_ current: Reading) {
        reading = nil
        lastReading = reactor.now
        hooks.readingEnded()
        let isActive = hooks.isActive() == true
        for key in machine.endReading() where isActive {
            hooks.record(KernelRecord.removed(key).encoded().bytes, key)
        }
        handle(.tablesRead)
        if current.isForCopy { hooks.copyEnded(machine.table.digest) }
        scheduleChange()
    }

    private func giveUp() {
        hooks.count("kernel.dumpFailed")
        reading = nil
        lastReading = reactor.now
        // A copy that cannot be ended is begun again when its receiver asks.
        guard hooks.isActive() != true else { return }
        reactor.schedule(at: reactor.now + .seconds(1)) { [weak self] in
            guard let self, reading == nil else { return }
            startReading(.hurried)
        }
    }
}
