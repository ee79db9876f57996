// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO

/// The listening control socket and its clients.
final class ControlServer {
    /// Called with each request; answer by `ControlClient.answer`.
    var onRequest: (ControlClient, ControlRequest) -> Void = { _, _ in }
    /// Called with the name of a counter.
    var onCount: (String) -> Void = { _ in }

    private let listener: UnixListener
    private let reactor: Reactor
    private var token: WatchToken?
    private var clients: [ObjectIdentifier: ControlClient] = [:]

    /// Takes over a listening socket.
    init(_ listener: UnixListener, on reactor: Reactor) throws(SystemError) {
        self.listener = listener
        self.reactor = reactor
        token = try reactor.watch(listener.rawValue) { [weak self] _ in self?.accept() }
    }

    /// Clients connected now.
    var clientCount: Int { clients.count }

    /// Sends an event to everybody who follows.
    func broadcast(_ event: EventView) {
        let monitors = clients.values.filter(\.isMonitoring)
        guard !monitors.isEmpty else { return }
        let text = encodeJSON(event)
        for client in monitors { client.send(event: text) }
    }

    /// Stops listening and lets the clients go.
    func close() {
        if let token { reactor.unwatch(token) }
        token = nil
        for client in clients.values { client.close() }
    }

    /// Accepts what waits, a bounded number at a time.
    private func accept() {
        for _ in 0..<Limits.clientCount {
            do {
                guard let stream = try listener.accept() else { return }
                try admit(stream)
            } catch {
                onCount("control.failed")
                return
            }
        }
    }

    private func admit(_ stream: UnixStream) throws(SystemError) {
        guard clients.count < Limits.clientCount else {
            onCount("control.refused")
            let view = ErrorView(code: "busy", message: "\(Limits.clientCount) clients are connected; try again")
            _ = stream.send(FrameReader.frame(encodeJSON(view))[...])
            return
        }
        let client = try ControlClient(stream, on: reactor)
        let key = ObjectIdentifier(client)
        clients[key] = client
        client.onCount = { [weak self] name in self?.onCount(name) }
        client.onClosed = { [weak self] in self?.clients[key] = nil }
        client.onRequest = { [weak self, weak client] request in
            guard let self, let client else { return }
            onCount("control.requests")
            onRequest(client, request)
        }
    }
}
