// SPDX-License-Identifier: Apache-2.0

/// What can be asked of charon through VICI.
public enum ViciRequest: Sendable, Hashable {
    /// The daemon's release.
    case version
    /// All IKE SAs with their children.
    case listSAs
    /// All loaded connections; their `start_action` is not told by charon.
    case listConnections
    /// End an IKE SA by charon's number, without waiting; if forced, without a chance for the peer's answer.
    case terminateIKE(uniqueID: UInt32, force: Bool)
    /// Rekey a child SA by charon's number.
    case rekeyChild(uniqueID: UInt32)
    /// Rekey an IKE SA by charon's number.
    case rekeyIKE(uniqueID: UInt32)
    /// Initiate a child of a connection, without waiting for the result.
    case initiate(child: String, ike: String?)

    /// The event whose stream carries the answer, if any.
    var streamedEvent: String? {
        switch self {
        case .listSAs: "list-sa"
        case .listConnections: "list-conn"
        case .version, .terminateIKE, .rekeyChild, .rekeyIKE, .initiate: nil
        }
    }

    var packet: ViciPacket {
        var message = ViciSection()
        let name: String
        switch self {
        case .version: name = "version"
        case .listSAs: name = "list-sas"
        case .listConnections: name = "list-conns"
        case .terminateIKE(let uniqueID, let force):
            name = "terminate"
            message.append("ike-id", .value("\(uniqueID)"))
            message.append("force", .value(force ? "yes" : "no"))
            message.append("timeout", .value("-1"))
        case .rekeyChild(let uniqueID):
            name = "rekey"
            message.append("child-id", .value("\(uniqueID)"))
        case .rekeyIKE(let uniqueID):
            name = "rekey"
            message.append("ike-id", .value("\(uniqueID)"))
        case .initiate(let child, let ike):
            name = "initiate"
            message.append("child", .value(child))
            if let ike { message.append("ike", .value(ike)) }
            message.append("timeout", .value("-1"))
        }
        return .commandRequest(name: name, message)
    }

    /// The reply made of the response and the events streamed before it.
    func reply(_ response: ViciSection, events: [ViciSection]) -> ViciReply {
        if response.value("success") == "no" { return .refused(response.value("errmsg") ?? "no reason given") }
        switch self {
        case .version:
            return .version(daemon: response.value("daemon") ?? "", release: response.value("version") ?? "")
        case .listSAs: return .securityAssociations(events.flatMap(\.sections).compactMap(ListedIKE.init))
        case .listConnections: return .connections(events.flatMap(\.sections).map(ListedConnection.init))
        case .terminateIKE, .rekeyChild, .rekeyIKE, .initiate: return .done
        }
    }
}

/// What charon answered.
public enum ViciReply: Sendable, Hashable {
    /// The daemon's name and release, such as `charon` and `5.9.8`.
    case version(daemon: String, release: String)
    /// The IKE SAs.
    case securityAssociations([ListedIKE])
    /// The connections.
    case connections([ListedConnection])
    /// Done as asked.
    case done
    /// charon's reason for not doing it.
    case refused(String)
}
