// SPDX-License-Identifier: Apache-2.0

/// One thing that goes wrong, or that an operator does.
public enum Fault: Hashable, Sendable, CustomStringConvertible {
    /// Nothing of `from` reaches the other nodes on the LAN; with `isBothWays` nothing reaches it either.
    case lanCut(from: Int, isBothWays: Bool)
    /// The LAN loses, doubles and reorders, each so many of 100.
    case lanNoise(loss: Int, duplicates: Int, delayMicroseconds: UInt64)
    /// Nothing of `from` reaches the other node between the replication processes.
    case syncCut(from: Int, isBothWays: Bool)
    /// The association's packets are lost, so many of 100, and retransmitted.
    case syncNoise(loss: Int)
    /// The switch passes nothing from or to a node, whose interface keeps its carrier.
    case deadPort(Int)
    /// A node's LAN interface loses carrier.
    case lanLink(Int)
    /// A node's tracked inside link loses carrier.
    case insideLink(Int)
    /// A process dies behind so many more actions.
    case crash(Int, ProcessKind, afterActions: Int)
    /// All processes of a node die; systemd starts them again at the end.
    case killDaemon(Int)
    /// A process hangs (SIGSTOP).
    case stall(Int, ProcessKind)
    /// All processes of a node hang.
    case stallAll(Int)
    /// The whole virtual machine stands still, its clocks too.
    case pause(Int)
    /// The machine stands still, and its clocks go on; what waited outside it comes a moment behind its wake.
    case standstill(Int)
    /// The machine loses power.
    case powerOff(Int)
    /// The kernel takes so long for each request.
    case slowKernel(Int, milliseconds: UInt64)
    /// The kernel refuses so many of 100 requests.
    case failingKernel(Int, percent: Int)
    /// Another program deletes a node's address and fence.
    case theft(Int)
    /// The operator turns `preempt` over on a node, and back at the end.
    case reload(Int)
    /// The hosts inside send so many packets a second through each tunnel.
    case burst(packetsPerSecond: UInt64)
    /// The operator hands the role over, on whichever node has it.
    case switchover

    /// The fault in a few words.
    public var description: String {
        switch self {
        case .lanCut(let from, let isBothWays): "LAN cut from \(name(from))\(isBothWays ? ", both ways" : "")"
        case .lanNoise(let loss, let duplicates, let delay):
            "LAN loses \(loss) %, doubles \(duplicates) %, delays up to \(delay) µs"
        case .syncCut(let from, let isBothWays): "association cut from \(name(from))\(isBothWays ? ", both ways" : "")"
        case .syncNoise(let loss): "the association loses \(loss) %"
        case .deadPort(let node): "\(name(node)) LAN port dead"
        case .lanLink(let node): "\(name(node)) LAN link down"
        case .insideLink(let node): "\(name(node)) inside link down"
        case .crash(let node, let kind, let actions): "\(name(node)) \(kind) crashes after \(actions) actions"
        case .killDaemon(let node): "\(name(node)) all processes killed"
        case .stall(let node, let kind): "\(name(node)) \(kind) hangs"
        case .stallAll(let node): "\(name(node)) all processes hang"
        case .pause(let node): "\(name(node)) machine paused"
        case .standstill(let node): "\(name(node)) machine stands still"
        case .powerOff(let node): "\(name(node)) power off"
        case .slowKernel(let node, let milliseconds): "\(name(node)) kernel takes \(milliseconds) ms"
        case .failingKernel(let node, let percent): "\(name(node)) kernel refuses \(percent) %"
        case .theft(let node): "\(name(node)) address and fence stolen"
        case .reload(let node): "\(name(node)) reload"
        case .burst(let rate): "\(rate) packets a second"
        case .switchover: "switchover"
        }
    }

    private func name(_ node: Int) -> String { "R\(node + 3)" }
}

/// A fault with its time behind the end of the warm-up, and how long it lasts; both in milliseconds.
public struct TimedFault: Hashable, Sendable, CustomStringConvertible {
    /// When it begins.
    public var atMilliseconds: UInt64
    /// When it is over, counted from its beginning; without meaning for what has no length.
    public var lengthMilliseconds: UInt64
    /// What goes wrong.
    public var fault: Fault

    /// Makes a timed fault.
    public init(_ fault: Fault, at milliseconds: UInt64, for length: UInt64 = 0) {
        self.fault = fault
        atMilliseconds = milliseconds
        lengthMilliseconds = length
    }

    /// One line.
    public var description: String { "at \(atMilliseconds) ms for \(lengthMilliseconds) ms: \(fault)" }
}
