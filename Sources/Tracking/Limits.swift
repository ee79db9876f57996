// SPDX-License-Identifier: Apache-2.0

/// What tracking holds at most.
public enum Limits {
    /// Objects that are routes or routing on an interface: each costs a few questions to the kernel after each change.
    public static let routingCount = 64
    /// Members of a list.
    public static let membersPerListCount = 64
    /// Lists inside lists, the outermost one included.
    public static let listDepth = 8
    /// Objects that are scripts.
    public static let scriptCount = 32
    /// Objects that are processes or files.
    public static let presenceCount = 64
    /// `ip sla` operations.
    public static let echoOperationCount = 64
    /// Bytes of a process's name that the kernel keeps (TASK_COMM_LEN without its terminator).
    public static let processNameByteCount = 15
}
