// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Netlink

/// Hears the kernel tell which processes execute something, take a name, or end.
///
/// The kernel tells it only in the first network namespace and to a process with CAP_NET_ADMIN.
public final class ProcessConnector {
    /// What was heard.
    public enum Event: Hashable, Sendable {
        /// Something about one process.
        case process(ProcessEvent)
        /// Events were lost: list the processes anew.
        case overrun
    }

    /// Bounds of one wake.
    public enum Limits {
        /// Events read before others have their turn.
        public static let eventsPerWake = 256
        /// Bytes of the kernel's queue.
        public static let receiveBufferByteCount: Int32 = 1 << 20
    }

    private let descriptor: Descriptor
    private let reactor: Reactor
    private let handler: (Event) -> Void
    private var token: WatchToken?
    private var buffer = [UInt8](repeating: 0, count: 1024)

    /// Subscribes; throws where the kernel does not tell.
    public init(on reactor: Reactor, handler: @escaping (Event) -> Void) throws(SystemError) {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let connectorFamily: Int32 = 11  // NETLINK_CONNECTOR
        descriptor = try Descriptor(socket(AF_NETLINK, type, connectorFamily), from: "socket connector")
        setReceiveBuffer(descriptor.rawValue, byteCount: Limits.receiveBufferByteCount)
        guard havpn_bind_netlink(descriptor.rawValue, ProcessEvent.group) == 0 else { throw .last("bind connector") }
        let listen = ProcessEvent.listen
        guard CLinux.send(descriptor.rawValue, listen, listen.count, 0) == listen.count else {
            throw .last("listen to processes")
        }
        self.reactor = reactor
        self.handler = handler
        token = try reactor.watch(descriptor.rawValue) { [unowned self] _ in drain() }
    }

    private func drain() {
        for _ in 0..<Limits.eventsPerWake {
            var sender: UInt32 = 0
            var isTruncated: Int32 = 0
            let length = havpn_receive_netlink(descriptor.rawValue, &buffer, buffer.count, &sender, &isTruncated)
            if length < 0 {
                if errno != EAGAIN, errno != EINTR { handler(.overrun) }
                return
            }
            guard sender == 0, isTruncated == 0, let messages = try? NetlinkMessage.split(Array(buffer[..<length]))
            else { continue }
            for message in messages {
                guard let event = try? ProcessEvent(parsing: message) else { continue }
                handler(.process(event))
            }
            if token == nil { return }
        }
    }

    /// Ends the subscription; the handler is not called any more.
    public func cancel() {
        if let token { reactor.unwatch(token) }
        token = nil
    }

    deinit { cancel() }
}
