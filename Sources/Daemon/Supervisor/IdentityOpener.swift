// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives

/// Opens the file with this node's key for replication, which may not open it itself.
final class IdentityOpener {
    /// The file's path; nil where the association is not encrypted.
    var path: String?

    private let configurationDirectory: String
    private var lastTrouble: String?
    private var retry: TimerToken?
    private static let retryInterval = Interval.seconds(1)

    /// Makes an opener; the configuration's own directory is an allowed place for the file.
    init(configurationDirectory: String) { self.configurationDirectory = configurationDirectory }

    /// Opens the file now, or tries again until it can be opened; a second wish meanwhile changes nothing.
    ///
    /// - Parameters:
    ///   - deliver: gets the descriptor, which is closed when it returns.
    ///   - refuse: gets a clause that says what is wrong, once for each kind of trouble.
    func open(on reactor: Reactor, deliver: @escaping (Int32) -> Void, refuse: @escaping (String) -> Void) {
        if let retry { reactor.cancel(retry) }
        lastTrouble = nil
        attempt(reactor, deliver, refuse)
    }

    private func attempt(
        _ reactor: Reactor, _ deliver: @escaping (Int32) -> Void, _ refuse: @escaping (String) -> Void
    ) {
        retry = nil
        guard let path else { return }
        let trouble: String
        do {
            let descriptor = try PrivateFile.open(TrustedPath.resolve(path, besides: configurationDirectory))
            return deliver(descriptor.rawValue)
        } catch let refusal as TrustedPath.Refusal {
            trouble = refusal == .missing ? "does not exist; `havpnctl keygen --out \(path)` makes it" : "\(refusal)"
        } catch {
            trouble = "\(error)"
        }
        if trouble != lastTrouble { refuse(trouble) }
        lastTrouble = trouble
        retry = reactor.schedule(at: Reactor.now() + Self.retryInterval) { [unowned self] in
            attempt(reactor, deliver, refuse)
        }
    }
}
