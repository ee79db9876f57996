// SPDX-License-Identifier: Apache-2.0

extension Model {
    /// `notify PATH`: a program that is run at each change of a group's state.
    public struct Notification: Hashable, Sendable {
        /// The program, an absolute path; it gets no arguments and no shell.
        public var path: String
        /// The name of the group whose changes it hears of, which resolves; nil hears of all groups.
        public var group: String?
        /// After which a run is killed with all that it started, 1 to 300 s.
        public var timeoutSeconds = 10
        /// The user that it runs as.
        public var user = Self.defaultUser

        /// Makes a notification with the defaults.
        public init(path: String) { self.path = path }

        /// The user that it runs as unless one is named.
        public static let defaultUser = "nobody"
    }
}
