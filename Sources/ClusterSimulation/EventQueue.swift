// SPDX-License-Identifier: Apache-2.0

/// What is to happen in the whole cluster, by time; at equal times in the order in which it was scheduled.
struct EventQueue {
    /// Something to be done at a time, on behalf of a process that must still live then.
    struct Item {
        var owner: ProcessModel?
        var generation: Int
        /// A timer of the process, which a reactor serves behind everything that it has received.
        var isTimer = false
        var body: () -> Void
    }

    private struct Key {
        var at: UInt64
        var order: UInt64
        var slot: Int

        static func < (left: Key, right: Key) -> Bool {
            left.at == right.at ? left.order < right.order : left.at < right.at
        }
    }

    /// More waiting events than any schedule needs: reaching it means that something multiplies.
    static let limit = 20_000

    private var heap: [Key] = []
    private var slots: [Item?] = []
    private var free: [Int] = []
    private var order: UInt64 = 0

    /// The number of waiting events.
    var count: Int { heap.count }

    /// The time of the next event.
    var nextTime: UInt64? { heap.first?.at }

    mutating func add(_ item: Item, at time: UInt64) {
        precondition(heap.count < Self.limit, "the event queue grows without end")
        order += 1
        var slot = slots.count
        if let reused = free.popLast() {
            slot = reused
            slots[slot] = item
        } else {
            slots.append(item)
        }
        heap.append(Key(at: time, order: order, slot: slot))
        rise(from: heap.count - 1)
    }

    /// Takes the next event; its time is `nextTime` from before.
    mutating func pop() -> Item? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        free.append(first.slot)
        return slots[first.slot].take()
    }

    private mutating func rise(from start: Int) {
        var index = start
        let key = heap[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard key < heap[parent] else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = key
    }

    private mutating func sink() {
        var index = 0
        let key = heap[0]
        let count = heap.count
        while true {
            var child = 2 * index + 1
            guard child < count else { break }
            if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < key else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = key
    }
}
