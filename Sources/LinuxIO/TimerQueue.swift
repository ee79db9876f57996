// SPDX-License-Identifier: Apache-2.0

internal import Primitives

/// Names one scheduled timer.
public struct TimerToken: Hashable, Sendable {
    let number: UInt64
}

/// Timers ordered by deadline, then by the order in which they were set: a binary heap with lazy removal.
struct TimerQueue {
    private struct Entry {
        let deadline: Instant
        let number: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            (left.deadline, left.number) < (right.deadline, right.number)
        }
    }

    private var heap: [Entry] = []
    private var bodies: [UInt64: () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    /// The earliest deadline of a live timer.
    var nextDeadline: Instant? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    mutating func insert(_ deadline: Instant, _ body: @escaping () -> Void) -> TimerToken {
        lastNumber += 1
        bodies[lastNumber] = body
        heap.append(Entry(deadline: deadline, number: lastNumber))
        siftUp(heap.count - 1)
        return TimerToken(number: lastNumber)
    }

    mutating func cancel(_ token: TimerToken) {
        bodies[token.number] = nil
        // Cancelled entries wait in the heap for their turn; rebuild before they outnumber the live ones.
        if heap.count > 64, heap.count > 2 * bodies.count {
            heap = heap.filter { bodies[$0.number] != nil }.sorted(by: <)
        }
    }

    /// Takes the earliest timer that is due, nil if none is.
    mutating func popDue(at now: Instant) -> (() -> Void)? {
        dropCancelled()
        guard let first = heap.first, first.deadline <= now else { return nil }
        removeFirst()
        return bodies.removeValue(forKey: first.number)
    }

    private mutating func dropCancelled() {
        while let first = heap.first, bodies[first.number] == nil { removeFirst() }
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
