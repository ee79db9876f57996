// SPDX-License-Identifier: Apache-2.0

/// What tracking holds at most.
public enum Limits {
    /// Objects that are routes or routing on an interface: each costs a few questions to the kernel after each change.
    public static let routingCount = 64
    /// Members of a list.
    public static let membersPerListCount = 64
    /// Lists inside lists, the outermost one included.
    public static let listDepth = 8
}
