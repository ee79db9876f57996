// SPDX-License-Identifier: Apache-2.0

import CLinux
import Netlink
import Testing

@Suite("Numbers written by hand agree with the kernel's headers")
struct HeaderTests {
    @Test("XFRM structures have the sizes of the headers")
    func xfrmSizes() {
        #expect(XFRMSize.selector == MemoryLayout<xfrm_selector>.size)
        #expect(XFRMSize.identity == MemoryLayout<xfrm_id>.size)
        #expect(XFRMSize.shortIdentity == MemoryLayout<xfrm_usersa_id>.size)
        #expect(XFRMSize.sa == MemoryLayout<xfrm_usersa_info>.size)
        #expect(XFRMSize.counters == MemoryLayout<xfrm_aevent_id>.size)
        #expect(XFRMSize.policy == MemoryLayout<xfrm_userpolicy_info>.size)
        #expect(XFRMSize.template == MemoryLayout<xfrm_user_tmpl>.size)
        #expect(XFRMSize.expire == MemoryLayout<xfrm_user_expire>.size)
        #expect(XFRMSize.mapping == MemoryLayout<xfrm_user_mapping>.size)
        #expect(XFRMSize.policyIdentity == MemoryLayout<xfrm_userpolicy_id>.size)
        #expect(XFRMSize.encapsulation == MemoryLayout<xfrm_encap_tmpl>.size)
        #expect(XFRMSize.replay == MemoryLayout<xfrm_replay_state>.size)
        #expect(XFRMSize.extendedReplay == MemoryLayout<xfrm_replay_state_esn>.size)
        #expect(MemoryLayout<xfrm_lifetime_cfg>.size == 64 && MemoryLayout<xfrm_lifetime_cur>.size == 32)
    }

    @Test("XFRM fields stand where the parser looks")
    func xfrmOffsets() {
        #expect(MemoryLayout<xfrm_usersa_info>.offset(of: \.reqid) == 208)
        #expect(MemoryLayout<xfrm_usersa_info>.offset(of: \.family) == 212)
        #expect(MemoryLayout<xfrm_usersa_info>.offset(of: \.flags) == 216)
        #expect(MemoryLayout<xfrm_selector>.offset(of: \.family) == 40)
        #expect(MemoryLayout<xfrm_userpolicy_info>.offset(of: \.priority) == 152)
        #expect(MemoryLayout<xfrm_userpolicy_info>.offset(of: \.dir) == 160)
        #expect(MemoryLayout<xfrm_user_tmpl>.offset(of: \.saddr) == 28)
        #expect(MemoryLayout<xfrm_user_tmpl>.offset(of: \.reqid) == 44)
        #expect(MemoryLayout<xfrm_aevent_id>.offset(of: \.flags) == 40)
        #expect(MemoryLayout<xfrm_user_mapping>.offset(of: \.new_saddr) == 44)
        #expect(MemoryLayout<xfrm_user_mapping>.offset(of: \.new_sport) == 62)
    }

    @Test("rtnetlink structures have the sizes that the builders write")
    func routeSizes() {
        #expect(MemoryLayout<nlmsghdr>.size == NetlinkMessage.headerByteCount)
        #expect(MemoryLayout<ifinfomsg>.size == 16)
        #expect(MemoryLayout<ifaddrmsg>.size == 8)
        #expect(MemoryLayout<rtmsg>.size == 12)
        #expect(MemoryLayout<fib_rule_hdr>.size == 12)
        #expect(MemoryLayout<ifa_cacheinfo>.size == 16)
    }

    @Test("message types and attributes have the headers' numbers")
    func numbers() {
        let messages: [(UInt16, Int)] = [
            (RouteMessage.newLink, Int(RTM_NEWLINK)), (RouteMessage.getLink, Int(RTM_GETLINK)),
            (RouteMessage.newAddress, Int(RTM_NEWADDR)), (RouteMessage.deleteAddress, Int(RTM_DELADDR)),
            (RouteMessage.newRoute, Int(RTM_NEWROUTE)), (RouteMessage.newRule, Int(RTM_NEWRULE)),
            (RouteMessage.getInterfaceConfiguration, Int(RTM_GETNETCONF)),
            (XFRMMessage.newSA, Int(XFRM_MSG_NEWSA)), (XFRMMessage.deleteSA, Int(XFRM_MSG_DELSA)),
            (XFRMMessage.getPolicy, Int(XFRM_MSG_GETPOLICY)), (XFRMMessage.expire, Int(XFRM_MSG_EXPIRE)),
            (XFRMMessage.updatePolicy, Int(XFRM_MSG_UPDPOLICY)), (XFRMMessage.flushPolicy, Int(XFRM_MSG_FLUSHPOLICY)),
            (XFRMMessage.policyExpire, Int(XFRM_MSG_POLEXPIRE)), (XFRMMessage.updateSA, Int(XFRM_MSG_UPDSA)),
            (XFRMMessage.flushSA, Int(XFRM_MSG_FLUSHSA)),
            (XFRMMessage.newCounters, Int(XFRM_MSG_NEWAE)), (XFRMMessage.mapping, Int(XFRM_MSG_MAPPING)),
            (NetlinkControl.done, Int(NLMSG_DONE)), (NetlinkControl.error, Int(NLMSG_ERROR)),
        ]
        for (ours, theirs) in messages { #expect(Int(ours) == theirs) }
        #expect(UInt32(XFRMAttribute.extendedReplay) == XFRMA_REPLAY_ESN_VAL.rawValue)
        #expect(UInt32(XFRMAttribute.replay) == XFRMA_REPLAY_VAL.rawValue)
        #expect(UInt32(XFRMAttribute.encapsulation) == XFRMA_ENCAP.rawValue)
        #expect(UInt32(XFRMAttribute.mark) == XFRMA_MARK.rawValue)
        #expect(UInt32(XFRMAttribute.interfaceID) == XFRMA_IF_ID.rawValue)
        #expect(XFRMGroups.sa == 1 << (XFRMNLGRP_SA.rawValue - 1))
        #expect(XFRMGroups.expire == 1 << (XFRMNLGRP_EXPIRE.rawValue - 1))
        #expect(XFRMGroups.counters == 1 << (XFRMNLGRP_AEVENTS.rawValue - 1))
        #expect(XFRMGroups.mapping == 1 << (XFRMNLGRP_MAPPING.rawValue - 1))
        #expect(Int(LinkAttribute.familySpecific) == Int(IFLA_AF_SPEC))
        #expect(Int(LinkAttribute.operationalState) == Int(IFLA_OPERSTATE))
        #expect(Int(AddressAttribute.tag) == Int(IFA_PROTO))
        #expect(Int(AddressAttribute.lifetimes) == Int(IFA_CACHEINFO))
        #expect(Int(RuleAttribute.tag) == Int(FRA_PROTOCOL))
        #expect(Int(RuleAttribute.preference) == Int(FRA_PRIORITY))
        #expect(NetlinkFlags.replace == UInt16(NLM_F_REPLACE) && NetlinkFlags.dump == UInt16(NLM_F_DUMP))
        #expect(NetlinkFlags.dumpInterrupted == UInt16(NLM_F_DUMP_INTR))
    }
}
