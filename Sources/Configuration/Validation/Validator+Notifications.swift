// SPDX-License-Identifier: Apache-2.0

extension Validator {
    mutating func checkNotifications() {
        for notification in model.notifications {
            guard let name = notification.group, !groups.contains(where: { $0.group.name == name }) else { continue }
            refuse(
                .notification(notification.path),
                "no group has the name `\(name)`; expected the name of a group\(hint(name))")
        }
    }
}
