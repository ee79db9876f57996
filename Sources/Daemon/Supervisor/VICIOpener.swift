// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives

/// Connects to charon's VICI socket for replication, which may not open it itself.
final class VICIOpener {
    /// The socket's path; nil where no IKE daemon is configured.
    var path: String?
    /// Called with a log line, once per kind of trouble.
    var onTrouble: (String) -> Void = { _ in }

    private let configurationDirectory: String
    private var lastTrouble: String?
    private var retry: TimerToken?
    private static let retryInterval = Interval.milliseconds(250)

    /// Makes an opener; the configuration's own directory is an allowed place for the socket.
    init(configurationDirectory: String) { self.configurationDirectory = configurationDirectory }

    /// Connects now, or tries again until it succeeds; a second wish meanwhile changes nothing.
    ///
    /// `deliver` gets the connected descriptor, which is closed when it returns.
    func open(on reactor: Reactor, deliver: @escaping (Int32) -> Void) {
        guard retry == nil else { return }
        attempt(reactor, deliver)
    }

    private func attempt(_ reactor: Reactor, _ deliver: @escaping (Int32) -> Void) {
        retry = nil
        guard let path else { return }
        do {
            let resolved = try TrustedPath.resolve(path, besides: configurationDirectory)
            let stream = try ByteStream.connect(path: resolved)
            lastTrouble = nil
            deliver(stream.rawValue)
        } catch {
            let trouble = "\(error)"
            if trouble != lastTrouble { onTrouble("%CRYPTO-4-VICI: \(path): \(error)") }
            lastTrouble = trouble
            retry = reactor.schedule(at: Reactor.now() + Self.retryInterval) { [unowned self] in
                attempt(reactor, deliver)
            }
        }
    }
}
