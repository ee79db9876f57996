// SPDX-License-Identifier: Apache-2.0

/// Which of the tracked processes and files are there.
///
/// Of processes it hears by the kernel's events, and by listings where there are none or some were lost.
public struct PresenceMachine: Sendable {
    /// What has happened.
    public enum Event: Hashable, Sendable {
        /// The tracked processes (names, at most 15 bytes) and files (paths) were configured, all of them, by object.
        case configured(processes: [Int: String], files: [Int: String])
        /// All processes that live, by number.
        case listed([Int32: String])
        /// A process runs under this name now.
        case ran(process: Int32, name: String)
        /// A process is gone.
        case ended(process: Int32)
        /// A file was looked for.
        case looked(path: String, isThere: Bool)
        /// Who hears the reports is new and knows nothing.
        case listenerStarted
    }

    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// List all processes; `listed` follows at once.
        case list
        /// Tell what is known of an object.
        case report(ProbeReport)
    }

    private var names: [Int: String] = [:]
    private var paths: [Int: String] = [:]
    /// The processes that bear a tracked name.
    private var living: [Int32: String] = [:]
    /// Processes that have ended, although a listing may still show them.
    private var departed: Set<Int32> = []
    private var known: [Int: Bool] = [:]

    /// Starts with nothing to look for.
    public init() {}

    /// Whether processes are of interest.
    public var wantsProcesses: Bool { !names.isEmpty }
    /// The files that are of interest.
    public var files: Set<String> { Set(paths.values) }

    /// Steps the machine.
    public mutating func handle(_ event: Event, actions: inout [Action]) {
        switch event {
        case .configured(let processes, let files):
            let before = (names, paths)
            (names, paths) = (processes, files)
            // The listing that follows fills it again.
            living = [:]
            known = known.filter { number, _ in
                before.0[number] == processes[number] && before.1[number] == files[number]
            }
        case .listed(let all):
            let wanted = Set(names.values)
            living = all.filter { wanted.contains($0.value) && !departed.contains($0.key) }
            departed = []
            compare(&actions)
        case .ran(let process, let name):
            let isOfInterest = names.values.contains(name)
            guard isOfInterest || living[process] != nil else { return }
            living[process] = isOfInterest ? name : nil
            compare(&actions)
        case .ended(let process):
            guard living.removeValue(forKey: process) != nil else { return }
            // It may have left a copy of itself behind, which nobody tells of: daemons do when they start.
            departed.insert(process)
            actions.append(.list)
        case .looked(let path, let isThere):
            for (object, wanted) in paths.sorted(by: { $0.key < $1.key }) where wanted == path {
                learn(object, isThere, &actions)
            }
        case .listenerStarted:
            for (object, isThere) in known.sorted(by: { $0.key < $1.key }) { report(object, isThere, &actions) }
        }
    }

    private mutating func compare(_ actions: inout [Action]) {
        let there = Set(living.values)
        for (object, name) in names.sorted(by: { $0.key < $1.key }) { learn(object, there.contains(name), &actions) }
    }

    private mutating func learn(_ object: Int, _ isThere: Bool, _ actions: inout [Action]) {
        guard known[object] != isThere else { return }
        known[object] = isThere
        report(object, isThere, &actions)
    }

    private func report(_ object: Int, _ isThere: Bool, _ actions: inout [Action]) {
        let missing = names[object] == nil ? "no such file" : "no such process"
        let observation = Observation(isUp: isThere, reason: isThere ? nil : missing)
        actions.append(.report(ProbeReport(object: object, observation: observation)))
    }
}
