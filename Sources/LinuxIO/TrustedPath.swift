// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Paths that a privileged process opens on behalf of one that is not.
public enum TrustedPath {
    /// Why a path is refused.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// It does not exist, or a directory on the way cannot be entered.
        case missing
        /// It lies, links followed, outside the allowed directories.
        case elsewhere(String)
        /// Somebody else than root owns it or may write to it.
        case writableByOthers(String)

        /// A text for logs.
        public var description: String {
            switch self {
            case .missing: "does not exist"
            case .elsewhere(let path): "leads to \(path), outside the allowed directories"
            case .writableByOthers(let path): "\(path) is not owned by root, or others may write to it"
            }
        }
    }

    /// Directories that are always allowed.
    public static let directories = ["/etc", "/run", "/usr"]

    /// Resolves links and checks place, owner and mode of the file and of the directory that holds it.
    ///
    /// - Parameters:
    ///   - path: what the configuration names.
    ///   - directory: the configuration's own directory, allowed too.
    /// - Returns: the path to open, without links.
    public static func resolve(_ path: String, besides directory: String) throws(Refusal) -> String {
        guard let resolved = canonical(path) else { throw .missing }
        try requireAllowed(resolved, besides: directory)
        for checked in [resolved, parent(of: resolved)] where !isRootsOwn(checked) { throw .writableByOthers(checked) }
        return resolved
    }

    /// The same for a file that is to be made: its directory must exist.
    public static func resolveNew(_ path: String, besides directory: String) throws(Refusal) -> String {
        guard let place = canonical(parent(of: path)), let name = path.split(separator: "/").last else {
            throw .missing
        }
        let resolved = (place == "/" ? "" : place) + "/" + name
        try requireAllowed(resolved, besides: directory)
        guard isRootsOwn(place) else { throw .writableByOthers(place) }
        return resolved
    }

    private static func requireAllowed(_ resolved: String, besides directory: String) throws(Refusal) {
        let allowed = directories + [canonical(directory) ?? directory]
        guard allowed.contains(where: { resolved.hasPrefix($0 == "/" ? $0 : $0 + "/") }) else {
            throw .elsewhere(resolved)
        }
    }

    /// The directory part of a path; `.` for a bare name.
    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes a directory unless it is there.
    public static func makeDirectory(_ path: String, mode: UInt32) throws(SystemError) {
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .last("mkdir \(path)") }
    }

    private static func canonical(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    private static func isRootsOwn(_ path: String) -> Bool {
        var details = stat()
        guard stat(path, &details) == 0 else { return false }
        // A sticky directory lets nobody replace another's file.
        let isSticky = details.st_mode & S_ISVTX != 0
        return details.st_uid == 0 && (details.st_mode & S_IWOTH == 0 || isSticky)
    }
}
