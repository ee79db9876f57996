// SPDX-License-Identifier: Apache-2.0

import Primitives

/// `NLM_F_…` of `linux/netlink.h`.
public enum NetlinkFlags {
    /// NLM_F_REQUEST.
    public static let request: UInt16 = 0x1
    /// NLM_F_MULTI.
    public static let multi: UInt16 = 0x2
    /// NLM_F_ACK.
    public static let acknowledge: UInt16 = 0x4
    /// NLM_F_DUMP_INTR: the table changed while it was dumped.
    public static let dumpInterrupted: UInt16 = 0x10
    /// NLM_F_REPLACE.
    public static let replace: UInt16 = 0x100
    /// NLM_F_EXCL.
    public static let exclusive: UInt16 = 0x200
    /// NLM_F_DUMP.
    public static let dump: UInt16 = 0x300
    /// NLM_F_CREATE.
    public static let create: UInt16 = 0x400
    /// NLM_F_CAPPED: an error echoes only the request's header.
    public static let capped: UInt16 = 0x100
    /// NLM_F_ACK_TLVS: an acknowledgement carries attributes.
    public static let acknowledgeAttributes: UInt16 = 0x200
}

/// Message types that every netlink family shares.
public enum NetlinkControl {
    /// NLMSG_NOOP.
    public static let noop: UInt16 = 1
    /// NLMSG_ERROR: an error or, with code 0, an acknowledgement.
    public static let error: UInt16 = 2
    /// NLMSG_DONE.
    public static let done: UInt16 = 3
    /// NLMSG_OVERRUN.
    public static let overrun: UInt16 = 4
}

/// What havpnd marks its own kernel objects with.
public enum OwnTag {
    /// The route, rule and address protocol number (RTPROT, FRA_PROTOCOL, IFA_PROTO).
    public static let routeProtocol: UInt8 = 114
}

/// `RTM_…` of `linux/rtnetlink.h`.
public enum RouteMessage {
    /// RTM_NEWLINK.
    public static let newLink: UInt16 = 16
    /// RTM_DELLINK.
    public static let deleteLink: UInt16 = 17
    /// RTM_GETLINK.
    public static let getLink: UInt16 = 18
    /// RTM_NEWADDR.
    public static let newAddress: UInt16 = 20
    /// RTM_DELADDR.
    public static let deleteAddress: UInt16 = 21
    /// RTM_GETADDR.
    public static let getAddress: UInt16 = 22
    /// RTM_NEWROUTE.
    public static let newRoute: UInt16 = 24
    /// RTM_DELROUTE.
    public static let deleteRoute: UInt16 = 25
    /// RTM_GETROUTE.
    public static let getRoute: UInt16 = 26
    /// RTM_NEWRULE.
    public static let newRule: UInt16 = 32
    /// RTM_DELRULE.
    public static let deleteRule: UInt16 = 33
    /// RTM_GETRULE.
    public static let getRule: UInt16 = 34
    /// RTM_NEWNETCONF.
    public static let newInterfaceConfiguration: UInt16 = 80
    /// RTM_GETNETCONF.
    public static let getInterfaceConfiguration: UInt16 = 82
}

/// Legacy group bits of rtnetlink (`RTMGRP_…`).
public enum RouteGroups {
    /// RTMGRP_LINK.
    public static let link: UInt32 = 0x1
    /// RTMGRP_IPV4_IFADDR.
    public static let ipv4Address: UInt32 = 0x10
    /// RTMGRP_IPV4_ROUTE.
    public static let ipv4Route: UInt32 = 0x40
    /// RTMGRP_IPV4_RULE.
    public static let ipv4Rule: UInt32 = 0x80
    /// RTMGRP_IPV6_IFADDR.
    public static let ipv6Address: UInt32 = 0x100
    /// RTNLGRP_IPV6_RULE.
    public static let ipv6Rule: UInt32 = 1 << 18
    /// RTMGRP_IPV6_ROUTE.
    public static let ipv6Route: UInt32 = 0x400
    /// RTNLGRP_IPV4_NETCONF: `forwarding` and the like.
    public static let ipv4Configuration: UInt32 = 1 << 23
    /// RTNLGRP_IPV6_NETCONF.
    public static let ipv6Configuration: UInt32 = 1 << 24
    /// RTNLGRP_NEXTHOP: next hops that routes refer to.
    public static let nextHop: UInt32 = 1 << 31
}

/// Address families that appear in messages.
public enum AddressFamily {
    /// AF_UNSPEC.
    public static let unspecified: UInt8 = 0
    /// AF_INET.
    public static let ipv4: UInt8 = 2
    /// AF_INET6.
    public static let ipv6: UInt8 = 10
}

extension IPAddress.Family {
    /// AF_INET or AF_INET6.
    var number: UInt8 { self == .ipv4 ? AddressFamily.ipv4 : AddressFamily.ipv6 }

    /// The family of an AF_… number; nil for any other than these two.
    init?(number: UInt8) {
        switch number {
        case AddressFamily.ipv4: self = .ipv4
        case AddressFamily.ipv6: self = .ipv6
        default: return nil
        }
    }
}
