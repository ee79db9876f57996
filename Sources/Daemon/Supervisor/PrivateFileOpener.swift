// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives

/// Opens a file with a key for a child that may not open it itself: this node's identity, or a key of hellos.
final class PrivateFileOpener {
    /// The file's path; nil where the configuration names none.
    var path: String?

    private let configurationDirectory: String
    private let whatMakesIt: String
    private var lastTrouble: String?
    private var retry: TimerToken?
    private static let retryInterval = Interval.seconds(1)

    /// Makes an opener; the configuration's own directory is an allowed place for the file.
    ///
    /// `whatMakesIt` stands behind "does not exist; ", the path follows it.
    init(path: String? = nil, configurationDirectory: String, whatMakesIt: String) {
        self.path = path
        self.configurationDirectory = configurationDirectory
        self.whatMakesIt = whatMakesIt
    }

    /// Tries no more.
    func cancel(on reactor: Reactor) {
        if let retry { reactor.cancel(retry) }
        retry = nil
    }

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
            trouble = refusal == .missing ? "does not exist; \(whatMakesIt) \(path)" : "\(refusal)"
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
