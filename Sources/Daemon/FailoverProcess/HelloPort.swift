// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Primitives

/// The hello socket of one interface for one family, shared by its groups.
final class HelloPort {
    /// Bounds of one port.
    enum Limits {
        /// Datagrams read in one wake; the rest waits for the next.
        static let datagramsPerWake = 64
    }

    /// The interface's index; a port does not survive its interface.
    let interfaceIndex: UInt32
    /// Called with each message that decodes.
    var onMessage: (HSRPMessage, IPAddress) -> Void = { _, _ in }
    /// Called when the groups were joined anew.
    var onRejoined: () -> Void = {}
    /// Called with the name of a counter for each datagram that is dropped.
    var onDrop: (String) -> Void = { _ in }

    private let family: IPAddress.Family
    private var isLinkUp = true
    private let socket: MulticastSocket
    private let reactor: Reactor
    private var token: WatchToken?

    /// Opens the socket, joins the groups of both versions and starts to listen: a router that speaks the other version
    /// must be heard of, for it will be Active as well.
    init(
        interface: String, index: UInt32, family: IPAddress.Family, on reactor: Reactor
    ) throws(SystemError) {
        interfaceIndex = index
        self.family = family
        self.reactor = reactor
        socket = try MulticastSocket(
            interface: interface, interfaceIndex: index, family: family,
            groups: HSRPVersion.destinations(family), port: HSRPVersion.port(family))
        token = try reactor.watch(socket.rawValue) { [weak self] _ in self?.readWaiting() }
    }

    deinit { close() }

    /// Stops listening.
    func close() {
        if let token { reactor.unwatch(token) }
        token = nil
    }

    /// Takes the interface's line protocol; when it comes back the groups are joined anew.
    ///
    /// The kernel joins again by itself where nobody has cleared its table meanwhile; the report that goes out with a
    /// new membership also tells a switch that has forgotten this port.
    func follow(isLinkUp isUp: Bool) {
        defer { isLinkUp = isUp }
        guard isUp, !isLinkUp else { return }
        do {
            try socket.rejoin()
            onRejoined()
        } catch {
            onDrop("hello.joinFailed")
        }
    }

    /// Sends from the interface's own address and MAC.
    func send(_ message: HSRPMessage, from address: IPAddress) throws(SystemError) {
        try socket.send(message.bytes, to: message.version.destination(family), from: address)
    }

    /// Hands in what waits, at most `Limits.datagramsPerWake` datagrams.
    func readWaiting() {
        for _ in 0..<Limits.datagramsPerWake {
            let datagram: MulticastSocket.Datagram?
            do {
                datagram = try socket.receive()
            } catch {
                onDrop("hello.receiveFailed")
                return
            }
            guard let datagram else { return }
            take(datagram)
        }
    }

    private func take(_ datagram: MulticastSocket.Datagram) {
        guard let version = HSRPVersion(destination: datagram.destination) else {
            onDrop("hello.unicast")
            return
        }
        guard let decoded = try? HSRPDatagram(parsing: datagram.bytes[...], version: version) else {
            onDrop("hello.malformed")
            return
        }
        switch decoded {
        case .advertise: onDrop("hello.advertise")
        case .message(let message) where message.virtualAddress.family != family: onDrop("hello.malformed")
        case .message(let message): onMessage(message, datagram.source)
        }
    }
}
