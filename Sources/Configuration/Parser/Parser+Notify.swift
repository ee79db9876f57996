// SPDX-License-Identifier: Apache-2.0

/// `notify PATH` and what stands under it.
extension Parser {
    mutating func parseNotifyLine(_ statement: inout Statement) throws(Fault) {
        let position = statement.position
        let path = try parsePath(&statement, "a program")
        try statement.finish()
        if statement.isNegated {
            draft.model.notifications.removeAll { $0.path == path }
            return
        }
        draft.editNotification(path) { _ in }
        if draft.places[.notification(path)] == nil { draft.places[.notification(path)] = position }
        enter(.notify(path))
    }

    mutating func parseNotify(_ statement: inout Statement, _ path: String) throws(Fault) {
        let word = try statement.keyword(Mode.notify(path).statements)
        var changed = Model.Notification(path: path)
        let isNegated = statement.isNegated
        if isNegated { statement.skipRest() }
        switch word {
        case "group":
            if !isNegated {
                changed.group = try statement.word("a group's name", maximumByteCount: Limits.groupNameByteCount)
            }
            draft.editNotification(path) { $0.group = changed.group }
        case "timeout":
            if !isNegated { changed.timeoutSeconds = try statement.integer(1...300, "the timeout in seconds") }
            draft.editNotification(path) { $0.timeoutSeconds = changed.timeoutSeconds }
        default:
            if !isNegated {
                changed.user = try statement.word("a user's name", maximumByteCount: Limits.userNameByteCount)
            }
            draft.editNotification(path) { $0.user = changed.user }
        }
        try statement.finish()
    }
}
