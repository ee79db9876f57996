// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Primitives

/// Listens on one interface for stations that claim virtual addresses by ARP.
final class AddressWatch {
    /// Bounds of one interface.
    enum Limits {
        /// Frames read in one go.
        static let framesPerWake = 16
        /// How long nothing is read behind that: whoever claims in a flood costs the groups nothing.
        static let pause = Interval.milliseconds(100)
    }

    /// How long after a takeover it is asked whether somebody else has the address: behind what a takeover is busy with.
    static let firstProbeWait = Interval.seconds(1)
    /// From one such question of an Active to the next.
    static let probeInterval = Interval.seconds(60)

    let interfaceIndex: UInt32
    let addresses: [IPv4Address]
    private let socket: PacketSocket
    private let reactor: Reactor
    private let onClaim: (AddressClaim) -> Void
    private var watch: WatchToken?
    private var pause: TimerToken?

    init(
        for addresses: [IPv4Address], interfaceIndex: UInt32, on reactor: Reactor,
        onClaim: @escaping (AddressClaim) -> Void
    ) throws(SystemError) {
        self.interfaceIndex = interfaceIndex
        self.addresses = addresses
        self.reactor = reactor
        self.onClaim = onClaim
        socket = try PacketSocket(claimsOf: addresses, interfaceIndex: interfaceIndex)
        listen()
    }

    deinit { close() }

    /// Listens no longer.
    func close() {
        if let watch { reactor.unwatch(watch) }
        if let pause { reactor.cancel(pause) }
        (watch, pause) = (nil, nil)
    }

    private func listen() {
        watch = try? reactor.watch(socket.rawValue) { [weak self] _ in self?.readWaiting() }
    }

    private func readWaiting() {
        if let watch { reactor.unwatch(watch) }
        watch = nil
        pause = reactor.schedule(at: Reactor.now() + Limits.pause) { [weak self] in
            self?.pause = nil
            self?.listen()
        }
        for _ in 0..<Limits.framesPerWake {
            guard let frame = try? socket.receive() else { return }
            if let claim = AddressClaim(frame: frame) { onClaim(claim) }
        }
    }
}
