// SPDX-License-Identifier: Apache-2.0

/// `XFRM_MSG_…` of `linux/xfrm.h`.
public enum XFRMMessage {
    /// XFRM_MSG_NEWSA.
    public static let newSA: UInt16 = 0x10
    /// XFRM_MSG_DELSA.
    public static let deleteSA: UInt16 = 0x11
    /// XFRM_MSG_GETSA.
    public static let getSA: UInt16 = 0x12
    /// XFRM_MSG_NEWPOLICY.
    public static let newPolicy: UInt16 = 0x13
    /// XFRM_MSG_DELPOLICY.
    public static let deletePolicy: UInt16 = 0x14
    /// XFRM_MSG_GETPOLICY.
    public static let getPolicy: UInt16 = 0x15
    /// XFRM_MSG_UPDPOLICY.
    public static let updatePolicy: UInt16 = 0x19
    /// XFRM_MSG_POLEXPIRE.
    public static let policyExpire: UInt16 = 0x1b
    /// XFRM_MSG_FLUSHPOLICY.
    public static let flushPolicy: UInt16 = 0x1d
    /// XFRM_MSG_EXPIRE.
    public static let expire: UInt16 = 0x18
    /// XFRM_MSG_UPDSA.
    public static let updateSA: UInt16 = 0x1a
    /// XFRM_MSG_FLUSHSA.
    public static let flushSA: UInt16 = 0x1c
    /// XFRM_MSG_NEWAE.
    public static let newCounters: UInt16 = 0x1e
    /// XFRM_MSG_GETAE.
    public static let getCounters: UInt16 = 0x1f
    /// XFRM_MSG_MAPPING.
    public static let mapping: UInt16 = 0x26
}

/// `XFRMA_…` of `linux/xfrm.h`.
public enum XFRMAttribute {
    /// XFRMA_ALG_AUTH.
    public static let authentication: UInt16 = 1
    /// XFRMA_ALG_CRYPT.
    public static let encryption: UInt16 = 2
    /// XFRMA_ALG_COMP.
    public static let compression: UInt16 = 3
    /// XFRMA_ENCAP.
    public static let encapsulation: UInt16 = 4
    /// XFRMA_TMPL.
    public static let templates: UInt16 = 5
    /// XFRMA_SA.
    public static let sa: UInt16 = 6
    /// XFRMA_POLICY.
    public static let policy: UInt16 = 7
    /// XFRMA_SEC_CTX.
    public static let securityContext: UInt16 = 8
    /// XFRMA_LTIME_VAL.
    public static let usage: UInt16 = 9
    /// XFRMA_REPLAY_VAL.
    public static let replay: UInt16 = 10
    /// XFRMA_REPLAY_THRESH.
    public static let replayThreshold: UInt16 = 11
    /// XFRMA_ETIMER_THRESH.
    public static let timerThreshold: UInt16 = 12
    /// XFRMA_SRCADDR.
    public static let sourceAddress: UInt16 = 13
    /// XFRMA_COADDR.
    public static let careOfAddress: UInt16 = 14
    /// XFRMA_LASTUSED.
    public static let lastUsed: UInt16 = 15
    /// XFRMA_POLICY_TYPE.
    public static let policyType: UInt16 = 16
    /// XFRMA_ALG_AEAD.
    public static let aead: UInt16 = 18
    /// XFRMA_ALG_AUTH_TRUNC.
    public static let truncatedAuthentication: UInt16 = 20
    /// XFRMA_MARK.
    public static let mark: UInt16 = 21
    /// XFRMA_TFCPAD.
    public static let trafficPadding: UInt16 = 22
    /// XFRMA_REPLAY_ESN_VAL.
    public static let extendedReplay: UInt16 = 23
    /// XFRMA_SA_EXTRA_FLAGS.
    public static let extraFlags: UInt16 = 24
    /// XFRMA_PAD.
    public static let padding: UInt16 = 27
    /// XFRMA_OFFLOAD_DEV.
    public static let offloadDevice: UInt16 = 28
    /// XFRMA_SET_MARK.
    public static let outputMark: UInt16 = 29
    /// XFRMA_SET_MARK_MASK.
    public static let outputMarkMask: UInt16 = 30
    /// XFRMA_IF_ID.
    public static let interfaceID: UInt16 = 31
    /// XFRMA_MTIMER_THRESH.
    public static let mappingThreshold: UInt16 = 32
    /// XFRMA_SA_DIR.
    public static let direction: UInt16 = 33
    /// XFRMA_NAT_KEEPALIVE_INTERVAL.
    public static let keepalive: UInt16 = 34
    /// XFRMA_SA_PCPU.
    public static let processor: UInt16 = 35
}

/// Legacy group bits of XFRM: bit N-1 for group N.
public enum XFRMGroups {
    /// XFRMNLGRP_EXPIRE.
    public static let expire: UInt32 = 1 << 1
    /// XFRMNLGRP_SA.
    public static let sa: UInt32 = 1 << 2
    /// XFRMNLGRP_POLICY.
    public static let policy: UInt32 = 1 << 3
    /// XFRMNLGRP_AEVENTS.
    public static let counters: UInt32 = 1 << 4
    /// XFRMNLGRP_MAPPING.
    public static let mapping: UInt32 = 1 << 7
}

/// Sizes of the kernel's structures on 64-bit machines; a test compares them with the headers.
public enum XFRMSize {
    /// `struct xfrm_selector`.
    public static let selector = 56
    /// `struct xfrm_id`.
    public static let identity = 24
    /// `struct xfrm_usersa_id`.
    public static let shortIdentity = 24
    /// `struct xfrm_usersa_info`.
    public static let sa = 224
    /// `struct xfrm_aevent_id`.
    public static let counters = 48
    /// `struct xfrm_userpolicy_info`.
    public static let policy = 168
    /// `struct xfrm_user_tmpl`.
    public static let template = 64
    /// `struct xfrm_user_expire`.
    public static let expire = 232
    /// `struct xfrm_user_mapping`.
    public static let mapping = 64
    /// `struct xfrm_user_polexpire`.
    public static let policyExpire = 176
    /// `struct xfrm_userpolicy_id`.
    public static let policyIdentity = 64
    /// `struct xfrm_encap_tmpl`.
    public static let encapsulation = 24
    /// `struct xfrm_replay_state`.
    public static let replay = 12
    /// `struct xfrm_replay_state_esn` without its bitmap.
    public static let extendedReplay = 24
}
