// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Primitives

/// One ARP request to a neighbour on a group's segment; whoever made it lets go of it when its time is over.
///
/// It asks from the interface's own address and MAC: what it shows is that frames of this node come back.
final class SegmentProbe {
    private let socket: PacketSocket
    private let reactor: Reactor
    private let target: IPv4Address
    private var watch: WatchToken?
    private let onAnswer: () -> Void

    /// Asks at once; throws where the frame cannot leave.
    init(
        _ target: IPv4Address, from address: IPv4Address, mac: MACAddress, interfaceIndex: UInt32,
        on reactor: Reactor, onAnswer: @escaping () -> Void
    ) throws(SystemError) {
        self.target = target
        self.reactor = reactor
        self.onAnswer = onAnswer
        socket = try PacketSocket(receiving: Frames.etherTypeARP, interfaceIndex: interfaceIndex)
        watch = try reactor.watch(socket.rawValue) { [weak self] _ in self?.receive() }
        try socket.send(
            Frames.arpRequest(for: target, from: address, mac: mac), interfaceIndex: interfaceIndex)
    }

    private func receive() {
        while let frame = try? socket.receive() {
            guard Frames.isARPReply(frame, from: target) else { continue }
            end()
            return onAnswer()
        }
    }

    /// Listens no longer.
    func end() {
        if let watch { reactor.unwatch(watch) }
        watch = nil
    }
}
