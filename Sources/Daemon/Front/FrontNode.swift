// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import LinuxIO
import Primitives

/// The front process's state: the configuration, the events, and the way to the other processes.
final class FrontNode {
    /// A reload that a client waits for.
    struct Reload {
        let client: ControlClient
        let timer: TimerToken
    }

    let reactor: Reactor
    let queries: QueryTable
    let startedAt = Reactor.now()
    let fileName: String
    var model: Model?
    var canonical: [UInt8] = []
    /// The number of the last configuration that was accepted.
    var revision: UInt32?
    var counters: [String: UInt64] = [:]
    var ring = EventRing()
    var reloads: [Reload] = []
    var server: ControlServer?
    let supervisor: ProcessChannel
    var others: [ProcessRole: ProcessChannel] = [:]
    private var recording: RecordingFile?

    /// Waits for the control socket and the configuration; `fileName` is what diagnostics begin with.
    init(supervisor: ProcessChannel, fileName: String, on reactor: Reactor) {
        self.supervisor = supervisor
        self.fileName = fileName
        self.reactor = reactor
        queries = QueryTable(on: reactor)
        queries.onCount = { [unowned self] name in count(name) }
        supervisor.onMessage = { [unowned self] message, descriptor in receive(message, descriptor) }
        supervisor.onClosed = { [unowned self] in stop() }
    }

    func count(_ name: String) { counters[name, default: 0] += 1 }

    func log(_ line: String) {
        if !StandardError.write(line: line) { count("log.dropped") }
    }

    /// Remembers an event and tells everybody who follows.
    func note(_ event: EventView) {
        var event = event
        if event.time == nil { event.time = WallClock.now().text }
        ring.append(event)
        server?.broadcast(event)
    }

    // MARK: The supervisor and the other processes

    private func receive(_ message: ProcessMessage, _ descriptor: DescriptorHolder?) {
        switch message {
        case .configuration(let revision, let text): configure(revision, text)
        case .configurationRefused(_, let text): finishReloads { $0.refuse("unreadable", text) }
        case .descriptor(.control, _): listen(descriptor)
        case .descriptor(.recording, _):
            recording = descriptor.map { RecordingFile(AppendedFile(adopting: $0.take())) }
        case .descriptor(.processChannel, let peer): connect(peer, descriptor)
        case .event(let text): eventReceived(text)
        case .stop:
            // The last steps of processes that have ended.
            for channel in others.values { channel.receiveWaiting() }
            supervisor.send(.stopped)
            supervisor.flush()
            stop()
        default: count("channel.unexpected")
        }
    }

    private func stop() {
        server?.close()
        reactor.stop()
    }

    private func listen(_ descriptor: DescriptorHolder?) {
        guard let descriptor else { return count("channel.unexpected") }
        do {
            let server = try ControlServer(UnixListener(adopting: descriptor.take()), on: reactor)
            server.onCount = { [unowned self] name in count(name) }
            server.onRequest = { [unowned self] client, request in serve(client, request) }
            self.server?.close()
            self.server = server
            supervisor.send(.ready)
        } catch {
            log("%HAVPN-3-CONTROL: cannot listen: \(error)")
        }
    }

    private func connect(_ peer: ProcessRole, _ descriptor: DescriptorHolder?) {
        guard let descriptor, peer == .failover || peer == .replication,
            let channel = try? ProcessChannel(descriptor.take(), peer: peer, on: reactor)
        else { return count("channel.unexpected") }
        channel.onMessage = { [unowned self] message, _ in
            switch message {
            case .answer(let number, let isLast, let text):
                queries.answered(by: peer, number: number, isLast: isLast, text: text)
            case .event(let text): eventReceived(text)
            case .recorded(let text): if let trouble = recording?.append(text) { count(trouble) }
            default: count("channel.unexpected")
            }
        }
        channel.onClosed = { [unowned self, unowned channel] in
            guard others[peer] === channel else { return }
            others[peer] = nil
            queries.detach(peer)
        }
        queries.attach(channel)
        others[peer] = channel
    }

    private func eventReceived(_ text: [UInt8]) {
        guard text.count <= Control.Limits.eventByteCount else { return count("event.oversized") }
        guard let event = try? decodeJSON(EventView.self, from: text) else { return count("event.malformed") }
        note(event)
    }

    // MARK: Configuration

    private func configure(_ revision: UInt32, _ text: [UInt8]) {
        let result = load(text, fileName: fileName)
        guard let model = result.model else {
            let faults = result.errors.map(\.description).joined(separator: "\n")
            let cut = String(decoding: faults.utf8.prefix(Self.faultByteCount), as: UTF8.self)
            supervisor.send(.configurationRefused(revision: revision, text: cut))
            for fault in result.errors { log("%HAVPN-3-CONFIG: \(fault)") }
            note(event("configuration refused", result.errors.first?.description))
            finishReloads { $0.refuse("configuration-refused", cut) }
            return
        }
        for warning in result.warnings { log("%HAVPN-4-CONFIG: \(warning)") }
        let text = [UInt8](print(model, secrets: true).utf8)
        let isChanged = text != canonical
        self.model = model
        canonical = text
        self.revision = revision
        supervisor.send(.configurationAccepted(revision: revision, text: text))
        note(event("configuration accepted", isChanged ? nil : "nothing differs"))
        let view = ReloadView(
            revision: Int(revision), changed: isChanged, warnings: result.warnings.map(\.description))
        finishReloads { $0.answer(encodeJSON(view)) }
    }

    /// What of the faults fits into a frame beside its other fields.
    private static let faultByteCount = 100_000

    private func event(_ what: String, _ reason: String?) -> EventView {
        var event = EventView("configuration", line: "%SYS-5-CONFIG_I: \(what)\(reason.map { ": \($0)" } ?? "")")
        event.to = what
        event.reason = reason
        return event
    }

    func finishReloads(_ body: (ControlClient) -> Void) {
        let waiting = reloads
        reloads = []
        for reload in waiting {
            reactor.cancel(reload.timer)
            body(reload.client)
        }
    }
}
