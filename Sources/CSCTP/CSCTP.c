// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CSCTP.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAXIMUM_ADDRESSES 16

static size_t fill(struct sockaddr_in *result, const uint32_t *addresses, size_t count, uint16_t port) {
    if (count > MAXIMUM_ADDRESSES) count = MAXIMUM_ADDRESSES;
    memset(result, 0, sizeof *result * MAXIMUM_ADDRESSES);
    for (size_t index = 0; index < count; index++) {
        result[index].sin_family = AF_INET;
        result[index].sin_port = htons(port);
        result[index].sin_addr.s_addr = htonl(addresses[index]);
    }
    return count;
}

static int set_timing(int fd, const struct havpn_sctp_settings *settings, const char **step) {
    struct sctp_rtoinfo timeouts = {
        .srto_initial = settings->initial_timeout,
        .srto_max = settings->maximum_timeout,
        .srto_min = settings->minimum_timeout,
    };
    *step = "SCTP_RTOINFO";
    if (setsockopt(fd, SOL_SCTP, SCTP_RTOINFO, &timeouts, sizeof timeouts) != 0) return -1;
    struct sctp_paddrparams paths;
    memset(&paths, 0, sizeof paths);
    paths.spp_address.ss_family = AF_INET;
    paths.spp_hbinterval = settings->heartbeat_interval;
    paths.spp_pathmaxrxt = settings->path_retransmissions;
    paths.spp_flags = SPP_HB_ENABLE;
    *step = "SCTP_PEER_ADDR_PARAMS";
    if (setsockopt(fd, SOL_SCTP, SCTP_PEER_ADDR_PARAMS, &paths, sizeof paths) != 0) return -1;
    struct sctp_assocparams association = {.sasoc_asocmaxrxt = settings->association_retransmissions};
    *step = "SCTP_ASSOCINFO";
    if (setsockopt(fd, SOL_SCTP, SCTP_ASSOCINFO, &association, sizeof association) != 0) return -1;
    struct sctp_initmsg initial = {
        .sinit_num_ostreams = 1,
        .sinit_max_instreams = 1,
        .sinit_max_attempts = settings->initial_attempts,
        .sinit_max_init_timeo = (uint16_t)settings->maximum_timeout,
    };
    *step = "SCTP_INITMSG";
    if (setsockopt(fd, SOL_SCTP, SCTP_INITMSG, &initial, sizeof initial) != 0) return -1;
    // A delayed acknowledgement would be later than the sender's shortest timeout.
    struct sctp_sack_info acknowledgement = {.sack_freq = 1};
    *step = "SCTP_DELAYED_SACK";
    return setsockopt(fd, SOL_SCTP, SCTP_DELAYED_SACK, &acknowledgement, sizeof acknowledgement);
}

static int subscribe(int fd) {
    struct sctp_event_subscribe events;
    memset(&events, 0, sizeof events);
    events.sctp_data_io_event = 1;
    events.sctp_association_event = 1;
    events.sctp_address_event = 1;
    events.sctp_send_failure_event = 1;
    events.sctp_shutdown_event = 1;
    // Older kernels know fewer events and refuse a longer structure than theirs.
    for (socklen_t length = sizeof events; length >= 8; length--) {
        if (setsockopt(fd, SOL_SCTP, SCTP_EVENTS, &events, length) == 0) return 0;
        if (errno != EINVAL) return -1;
    }
    return -1;
}

static int prepare(int fd, const struct havpn_sctp_settings *settings, const char **step) {
    int on = 1;
    *step = "SCTP_NODELAY";
    if (setsockopt(fd, SOL_SCTP, SCTP_NODELAY, &on, sizeof on) != 0) return -1;
    *step = "SO_SNDBUF";
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &settings->send_buffer, sizeof settings->send_buffer) != 0) return -1;
    *step = "SO_RCVBUF";
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &settings->receive_buffer, sizeof settings->receive_buffer) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &settings->receive_buffer, sizeof settings->receive_buffer) != 0)
        return -1;
    if (set_timing(fd, settings, step) != 0) return -1;
    *step = "SCTP_EVENTS";
    return subscribe(fd);
}

int havpn_sctp_open(
    const struct havpn_sctp_settings *settings, const uint32_t *addresses, size_t count, const char **step) {
    struct sockaddr_in list[MAXIMUM_ADDRESSES];
    count = fill(list, addresses, count, settings->local_port);
    *step = "socket";
    int fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_SCTP);
    if (fd < 0) return -1;
    // Addresses that are not on the machine yet are announced to the peer all the same; their paths are down meanwhile.
    int on = 1;
    *step = "IP_FREEBIND";
    if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) != 0) goto failed;
    if (prepare(fd, settings, step) != 0) goto failed;
    *step = "bind";
    if (sctp_bindx(fd, (struct sockaddr *)list, (int)count, SCTP_BINDX_ADD_ADDR) != 0) goto failed;
    *step = "listen";
    if (listen(fd, 8) != 0) goto failed;
    return fd;
failed:;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int havpn_sctp_connect(int fd, const uint32_t *addresses, size_t count, uint16_t port) {
    struct sockaddr_in list[MAXIMUM_ADDRESSES];
    count = fill(list, addresses, count, port);
    sctp_assoc_t association = 0;
    if (sctp_connectx(fd, (struct sockaddr *)list, (int)count, &association) == 0) return 0;
    return errno == EINPROGRESS ? 0 : -1;
}

static void read_association_change(const struct sctp_assoc_change *change, struct havpn_sctp_received *received) {
    received->association = change->sac_assoc_id;
    received->cause = change->sac_error;
    switch (change->sac_state) {
    case SCTP_COMM_UP: received->kind = HAVPN_SCTP_UP; break;
    case SCTP_RESTART: received->kind = HAVPN_SCTP_RESTARTED; break;
    case SCTP_COMM_LOST: received->kind = HAVPN_SCTP_LOST; break;
    case SCTP_SHUTDOWN_COMP: received->kind = HAVPN_SCTP_CLOSED; break;
    case SCTP_CANT_STR_ASSOC: received->kind = HAVPN_SCTP_CANNOT_START; break;
    default: break;
    }
}

static void read_notification(const void *bytes, size_t length, struct havpn_sctp_received *received) {
    union sctp_notification notification;
    memset(&notification, 0, sizeof notification);
    memcpy(&notification, bytes, length < sizeof notification ? length : sizeof notification);
    received->kind = HAVPN_SCTP_OTHER;
    switch (notification.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE: read_association_change(&notification.sn_assoc_change, received); break;
    case SCTP_PEER_ADDR_CHANGE: {
        struct sockaddr_in address;
        memcpy(&address, &notification.sn_paddr_change.spc_aaddr, sizeof address);
        int state = notification.sn_paddr_change.spc_state;
        // What we prefer ourselves is told as a change as well.
        if (state == SCTP_ADDR_MADE_PRIM) break;
        received->kind = HAVPN_SCTP_PATH;
        received->association = notification.sn_paddr_change.spc_assoc_id;
        received->address = address.sin_family == AF_INET ? ntohl(address.sin_addr.s_addr) : 0;
        received->is_usable = state == SCTP_ADDR_AVAILABLE || state == SCTP_ADDR_CONFIRMED;
        break;
    }
    case SCTP_SHUTDOWN_EVENT:
        received->kind = HAVPN_SCTP_SHUTTING_DOWN;
        received->association = notification.sn_shutdown_event.sse_assoc_id;
        break;
    case SCTP_SEND_FAILED:
        received->kind = HAVPN_SCTP_SEND_FAILED;
        received->association = notification.sn_send_failed.ssf_assoc_id;
        break;
    default: break;
    }
}

ptrdiff_t havpn_sctp_receive(int fd, void *buffer, size_t capacity, struct havpn_sctp_received *received) {
    struct sctp_sndrcvinfo information;
    int flags = 0;
    memset(received, 0, sizeof *received);
    memset(&information, 0, sizeof information);
    int length = sctp_recvmsg(fd, buffer, capacity, NULL, NULL, &information, &flags);
    if (length <= 0) return length;
    if (flags & MSG_NOTIFICATION) {
        read_notification(buffer, (size_t)length, received);
    } else {
        received->kind = HAVPN_SCTP_DATA;
        received->association = information.sinfo_assoc_id;
    }
    received->is_complete = (flags & MSG_EOR) != 0;
    return length;
}

ptrdiff_t havpn_sctp_send(int fd, const void *bytes, size_t length) {
    return send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int havpn_sctp_peel(int fd, int32_t association) {
    int peeled = sctp_peeloff(fd, association);
    if (peeled < 0) return -1;
    int flags = fcntl(peeled, F_GETFL);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (flags < 0 || fcntl(peeled, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(peeled, F_SETFD, FD_CLOEXEC) != 0 ||
        setsockopt(peeled, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) {
        int code = errno;
        close(peeled);
        errno = code;
        return -1;
    }
    return peeled;
}

int havpn_sctp_abort(int fd, int32_t association) {
    struct sctp_sndrcvinfo information = {.sinfo_flags = SCTP_ABORT, .sinfo_assoc_id = association};
    return sctp_send(fd, NULL, 0, &information, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int havpn_sctp_peer_addresses(int fd, int32_t association, uint32_t *addresses, size_t capacity, uint16_t *port) {
    struct sockaddr *list = NULL;
    int count = sctp_getpaddrs(fd, association, &list);
    if (count <= 0) return count;
    const uint8_t *position = (const uint8_t *)list;
    for (int index = 0; index < count; index++) {
        struct sockaddr_in6 address;
        memcpy(&address, position, sizeof(struct sockaddr_in));
        if (address.sin6_family == AF_INET6) {
            position += sizeof(struct sockaddr_in6);
            if ((size_t)index < capacity) addresses[index] = 0;
            continue;
        }
        struct sockaddr_in plain;
        memcpy(&plain, position, sizeof plain);
        position += sizeof plain;
        if ((size_t)index < capacity) addresses[index] = ntohl(plain.sin_addr.s_addr);
        *port = ntohs(plain.sin_port);
    }
    sctp_freepaddrs(list);
    return count;
}

int havpn_sctp_read_status(int fd, int32_t association, struct havpn_sctp_status *status) {
    struct sctp_status raw;
    socklen_t length = sizeof raw;
    memset(&raw, 0, sizeof raw);
    raw.sstat_assoc_id = association;
    if (getsockopt(fd, SOL_SCTP, SCTP_STATUS, &raw, &length) != 0) return -1;
    memset(status, 0, sizeof *status);
    status->state = raw.sstat_state;
    struct sockaddr_in primary;
    memcpy(&primary, &raw.sstat_primary.spinfo_address, sizeof primary);
    if (primary.sin_family == AF_INET) status->primary = ntohl(primary.sin_addr.s_addr);
    status->receiver_window = raw.sstat_rwnd;
    status->unacknowledged_chunks = raw.sstat_unackdata;
    status->pending_chunks = raw.sstat_penddata;
    struct sctp_assoc_stats statistics;
    memset(&statistics, 0, sizeof statistics);
    statistics.sas_assoc_id = association;
    length = sizeof statistics;
    if (getsockopt(fd, SOL_SCTP, SCTP_GET_ASSOC_STATS, &statistics, &length) == 0) {
        status->retransmitted_chunks = statistics.sas_rtxchunks;
        status->sent_packets = statistics.sas_opackets;
        status->received_packets = statistics.sas_ipackets;
    }
    return 0;
}

int havpn_sctp_read_path(int fd, int32_t association, uint32_t address, uint16_t port, struct havpn_sctp_path *path) {
    struct sctp_paddrinfo raw;
    socklen_t length = sizeof raw;
    memset(&raw, 0, sizeof raw);
    raw.spinfo_assoc_id = association;
    struct sockaddr_in peer = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(address),
    };
    memcpy(&raw.spinfo_address, &peer, sizeof peer);
    if (getsockopt(fd, SOL_SCTP, SCTP_GET_PEER_ADDR_INFO, &raw, &length) != 0) return -1;
    path->state = raw.spinfo_state;
    path->smoothed_round_trip = raw.spinfo_srtt;
    path->timeout = raw.spinfo_rto;
    path->congestion_window = raw.spinfo_cwnd;
    path->maximum_unit = raw.spinfo_mtu;
    return 0;
}

int havpn_sctp_prefer(int fd, uint32_t address, uint16_t port) {
    struct sctp_setprim primary;
    memset(&primary, 0, sizeof primary);
    struct sockaddr_in peer = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(address),
    };
    memcpy(&primary.ssp_addr, &peer, sizeof peer);
    return setsockopt(fd, SOL_SCTP, SCTP_PRIMARY_ADDR, &primary, sizeof primary);
}

int havpn_sctp_take_error(int fd) {
    int code = 0;
    socklen_t length = sizeof code;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : 0;
}
