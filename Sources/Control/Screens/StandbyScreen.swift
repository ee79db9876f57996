// SPDX-License-Identifier: Apache-2.0

extension StandbyView {
    /// The screen of `show standby`; every line ends with a line break.
    public var text: String {
        groups.map { $0.lines.joined(separator: "\n") + "\n" }.joined()
    }

    /// The screen of `show standby brief`.
    public var briefText: String {
        var lines = [
            "                     P indicates configured to preempt.",
            "                     |",
            "Interface   Grp  Pri P State   Active          Standby         Virtual IP",
        ]
        for group in groups {
            let line =
                group.interface.padded(to: 12) + "\(group.group)".padded(to: 5) + "\(group.priority)".padded(to: 4)
                + (group.preempt ? "P " : "  ") + group.state.padded(to: 8) + brief(group.activeRouter).padded(to: 16)
                + brief(group.standbyRouter).padded(to: 16) + (group.virtualAddress ?? "unknown")
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func brief(_ router: Router?) -> String { router.map { $0.local ? "local" : $0.address } ?? "unknown" }
}

extension StandbyView.Group {
    fileprivate var lines: [String] {
        var lines = ["\(interface) - Group \(group)\(version == 1 ? "" : " (version \(version))")"]
        lines.append("  State is \(state)")
        let change = lastStateChangeMilliseconds.map(Wording.age) ?? "never"
        if let startDelayRemainingMilliseconds {
            lines.append("    Start delay ends in \(Wording.seconds(startDelayRemainingMilliseconds)) secs")
        }
        lines.append("    \(Wording.count(stateChanges, "state change")), last state change \(change)")
        if let declines { lines.append("    Declines the role: \(declines)") }
        if let virtualAddress, virtualAddress.contains(":") {
            lines.append("  Link-Local Virtual IPv6 address is \(virtualAddress)")
            for address in globalVirtualAddresses { lines.append("    Virtual IPv6 address \(address)") }
        } else {
            lines.append("  Virtual IP address is \(virtualAddress ?? "unknown")")
            for address in secondaryVirtualAddresses { lines.append("    Secondary virtual IP address \(address)") }
        }
        let mac = virtualMAC.map(Wording.dottedMAC) ?? "unknown"
        lines.append("  Active virtual MAC address is \(activeRouter == nil ? "unknown" : mac)")
        lines.append("    Local virtual MAC address is \(mac) (\(usesBurnedInAddress ? "bia" : "v\(version) default"))")
        lines.append("  Hello time \(Wording.timer(helloMilliseconds)), hold time \(Wording.timer(holdMilliseconds))")
        if let helloDueMilliseconds {
            lines.append("    Next hello sent in \(Wording.seconds(helloDueMilliseconds)) secs")
        }
        if let authentication { lines.append("  Authentication \(authentication)") }
        lines.append("  Preemption \(preempt ? "enabled" : "disabled")\(preemptionDelay)")
        if let preemptDelayRemainingMilliseconds {
            lines.append("    Preemption delay ends in \(Wording.seconds(preemptDelayRemainingMilliseconds)) secs")
        }
        lines.append("  Active router is \(text(activeRouter))")
        lines.append("  Standby router is \(text(standbyRouter))")
        if let otherActive { lines.append("  Another Active router is \(text(otherActive))") }
        let origin = configuredPriority == 100 ? "default" : "configured"
        lines.append("  Priority \(priority) (\(origin) \(configuredPriority))")
        for track in trackedObjects {
            let effect = track.decrement.map { "decrement \($0)" } ?? "shutdown"
            lines.append("    Track object \(track.id) state \(track.state) \(effect)")
        }
        if let follows { lines.append("  Following \"\(follows)\"") }
        lines.append("  Group name is \(name.map { "\"\($0)\" (cfgd)" } ?? "\"hsrp-\(interface)-\(group)\" (default)")")
        if !followers.isEmpty { lines.append("  Followed by groups:") }
        for follower in followers {
            let mac = follower.virtualMAC.map(Wording.dottedMAC) ?? "unknown"
            lines.append(
                "    \(follower.interface) Grp \(follower.group) \(follower.state) "
                    + "\(follower.virtualAddress ?? "unknown") \(mac)")
        }
        if let fence { lines.append("  Fence of the virtual address is \(fence)\(term.map { ", term \($0)" } ?? "")") }
        return lines
    }

    private var preemptionDelay: String {
        let minimum = preemptMinimumDelayMilliseconds > 0 ? preemptMinimumDelayMilliseconds : nil
        let parts = [
            ("min", minimum), ("reload", preemptReloadDelayMilliseconds), ("sync", preemptSyncDelayMilliseconds),
        ]
        let said = parts.compactMap { name, delay in delay.map { "\(name) \($0 / 1000) secs" } }
        return preempt && !said.isEmpty ? ", delay " + said.joined(separator: ", ") : ""
    }

    private func text(_ router: StandbyView.Router?) -> String {
        guard let router else { return "unknown" }
        if router.local { return "local" }
        let priority = router.priority.map { ", priority \($0)" } ?? ""
        let expiry = router.expiresMilliseconds.map { " (expires in \(Wording.seconds($0)) sec)" } ?? ""
        return "\(router.address)\(priority)\(expiry)"
    }
}
