// SPDX-License-Identifier: Apache-2.0

extension ListedIKE {
    /// Reads one entry of `list-sa`, or nil without number and SPIs.
    init?(_ entry: (name: String, section: ViciSection)) {
        let section = entry.section
        guard let uniqueID = section.number("uniqueid", UInt32.self),
            let initiator = section.hexadecimal("initiator-spi", UInt64.self)
        else { return nil }
        self.uniqueID = uniqueID
        name = entry.name
        version = section.number("version") ?? 0
        state = section.value("state") ?? ""
        localHost = section.value("local-host") ?? ""
        localPort = section.number("local-port") ?? 0
        remoteHost = section.value("remote-host") ?? ""
        remotePort = section.number("remote-port") ?? 0
        localID = section.value("local-id") ?? ""
        remoteID = section.value("remote-id") ?? ""
        spis = IKESPIPair(initiator: initiator, responder: section.hexadecimal("responder-spi") ?? 0)
        isInitiator = section.value("initiator") == "yes"
        establishedSeconds = section.number("established")
        rekeySeconds = section.number("rekey-time") ?? section.number("reauth-time")
        children = section.section("child-sas")?.sections.compactMap { ListedChild($0.section) } ?? []
    }
}

extension ListedChild {
    init?(_ section: ViciSection) {
        guard let uniqueID = section.number("uniqueid", UInt32.self) else { return nil }
        self.uniqueID = uniqueID
        name = section.value("name") ?? ""
        state = section.value("state") ?? ""
        securityProtocol = section.value("protocol") ?? ""
        spis = ChildSPIPair(
            inbound: section.hexadecimal("spi-in") ?? 0, outbound: section.hexadecimal("spi-out") ?? 0)
        localSelectors = section.list("local-ts")
        remoteSelectors = section.list("remote-ts")
        bytesIn = section.number("bytes-in") ?? 0
        packetsIn = section.number("packets-in") ?? 0
        bytesOut = section.number("bytes-out") ?? 0
        packetsOut = section.number("packets-out") ?? 0
        rekeySeconds = section.number("rekey-time")
        lifeSeconds = section.number("life-time")
        installSeconds = section.number("install-time")
    }
}

extension ListedConnection {
    /// Reads one entry of `list-conn`.
    init(_ entry: (name: String, section: ViciSection)) {
        name = entry.name
        localAddresses = entry.section.list("local_addrs")
        remoteAddresses = entry.section.list("remote_addrs")
        version = entry.section.value("version") ?? ""
        children =
            entry.section.section("children")?.sections.map { child in
                ListedChildConfiguration(
                    name: child.name, mode: child.section.value("mode") ?? "",
                    localSelectors: child.section.list("local-ts"), remoteSelectors: child.section.list("remote-ts"))
            } ?? []
    }
}

extension ViciSection {
    fileprivate func number<Value: FixedWidthInteger>(_ name: String, _ type: Value.Type = Value.self) -> Value? {
        value(name).flatMap { Value($0) }
    }

    fileprivate func hexadecimal<Value: FixedWidthInteger>(
        _ name: String, _ type: Value.Type = Value.self
    ) -> Value? {
        value(name).flatMap { Value($0, radix: 16) }
    }
}
