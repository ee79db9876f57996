// SPDX-License-Identifier: Apache-2.0

public import Tracking

/// The tracked objects that somebody must do something for, by number.
extension Model {
    /// Scripts to run.
    public var scripts: [Int: ScriptSettings] {
        collect { if case .script(let settings) = $0 { settings } else { nil } }
    }

    /// Names of processes to look for.
    public var processes: [Int: String] {
        collect { if case .process(let name) = $0 { name } else { nil } }
    }

    /// Paths of files to look for.
    public var files: [Int: String] {
        collect { if case .file(let path) = $0 { path } else { nil } }
    }

    private func collect<Value>(_ pick: (ObjectKind) -> Value?) -> [Int: Value] {
        trackedObjects.reduce(into: [:]) { found, object in
            if let value = pick(object.kind) { found[object.number] = value }
        }
    }
}
