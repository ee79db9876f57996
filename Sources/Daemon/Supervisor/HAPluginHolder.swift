// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives

/// Holds the UDP socket that stands as charon's ha-plugin peer, so that nobody else can bind its address meanwhile.
///
/// The socket that systemd passed is taken if it is bound where the configuration says, else one is opened; where that
/// fails it is tried again every second.
final class HAPluginHolder {
    /// The ha plugin's port, fixed in charon (reference ipsec-ha §1.2).
    static let port: UInt16 = 4510

    /// Called each time that a socket stands, or that none is needed.
    var onStanding: () -> Void = {}
    /// Called with a log line.
    var onTrouble: (String) -> Void = { _ in }

    /// The socket's descriptor while one stands.
    private(set) var rawValue: Int32?

    private var passed: [HeldDescriptor]
    private var socket: HeldDescriptor?
    private var place: Place?
    private var hasComplained = false
    private var retry: TimerToken?

    private struct Place: Hashable {
        let local: IPv4Address
        let charon: IPv4Address
    }

    private final class HeldDescriptor {
        let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// Keeps what systemd passed until the configuration says what is wanted.
    init(adopting passed: [DescriptorHolder]) { self.passed = passed.map { HeldDescriptor($0.take()) } }

    /// No IKE daemon: no socket.
    func standNowhere() {
        place = nil
        socket = nil
        rawValue = nil
        onStanding()
    }

    /// Makes the socket stand at `local`, hearing charon at `charon` alone; nothing changes if it does already.
    func stand(local: IPv4Address, charon: IPv4Address, on reactor: Reactor) {
        let wanted = Place(local: local, charon: charon)
        guard wanted != place else { return }
        place = wanted
        socket = nil
        rawValue = nil
        hasComplained = false
        attempt(reactor)
    }

    private func attempt(_ reactor: Reactor) {
        if let retry { reactor.cancel(retry) }
        retry = nil
        guard let place, socket == nil else { return }
        do {
            let held = try takePassed(place) ?? open(place)
            socket = held
            rawValue = held.descriptor.rawValue
            onStanding()
        } catch {
            if !hasComplained {
                onTrouble("%HAVPN-3-HAPLUGIN: the ha plugin's peer address is not to be had: \(error)")
            }
            hasComplained = true
            retry = reactor.schedule(at: Reactor.now() + .seconds(1)) { [unowned self] in attempt(reactor) }
        }
    }

    private func open(_ place: Place) throws(SystemError) -> HeldDescriptor {
        HeldDescriptor(try DatagramOpening.open(local: place.local, remote: place.charon, port: Self.port))
    }

    private func takePassed(_ place: Place) throws(SystemError) -> HeldDescriptor? {
        let found = passed.first { held in
            DatagramOpening.isBound(held.descriptor.rawValue, to: place.local, port: Self.port)
        }
        guard let found else { return nil }
        try DatagramOpening.connect(found.descriptor.rawValue, to: place.charon, port: Self.port)
        return found
    }
}
