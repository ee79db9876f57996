// SPDX-License-Identifier: Apache-2.0
#ifndef HAVPN_CSCTP_H
#define HAVPN_CSCTP_H

#include <stddef.h>
#include <stdint.h>

/// Everything that is set on the endpoint; times in milliseconds. Addresses are in host order throughout.
struct havpn_sctp_settings {
    uint16_t local_port;
    uint32_t initial_timeout;
    uint32_t minimum_timeout;
    uint32_t maximum_timeout;
    uint32_t heartbeat_interval;
    uint16_t path_retransmissions;
    uint16_t association_retransmissions;
    uint16_t initial_attempts;
    int send_buffer;
    int receive_buffer;
};

/// What one receive call brought.
enum havpn_sctp_kind {
    HAVPN_SCTP_DATA = 0,
    HAVPN_SCTP_UP = 1,
    HAVPN_SCTP_RESTARTED = 2,
    HAVPN_SCTP_LOST = 3,
    HAVPN_SCTP_CLOSED = 4,
    HAVPN_SCTP_CANNOT_START = 5,
    HAVPN_SCTP_SHUTTING_DOWN = 6,
    HAVPN_SCTP_PATH = 7,
    HAVPN_SCTP_SEND_FAILED = 8,
    HAVPN_SCTP_OTHER = 9,
};

struct havpn_sctp_received {
    enum havpn_sctp_kind kind;
    int32_t association;
    /// Data: nonzero at the end of a message.
    int is_complete;
    /// Association changes: the error cause of the protocol, 0 for none.
    uint16_t cause;
    /// Path changes: the peer's address.
    uint32_t address;
    /// Path changes: nonzero if the path is usable.
    int is_usable;
};

struct havpn_sctp_status {
    int32_t state;
    /// The peer's address by whose path is sent first.
    uint32_t primary;
    uint32_t receiver_window;
    uint16_t unacknowledged_chunks;
    uint16_t pending_chunks;
    uint64_t retransmitted_chunks;
    uint64_t sent_packets;
    uint64_t received_packets;
};

struct havpn_sctp_path {
    int32_t state;
    uint32_t smoothed_round_trip;
    uint32_t timeout;
    uint32_t congestion_window;
    uint32_t maximum_unit;
};

/// Opens a listening one-to-many socket bound to every address, present or not; -1 with errno, `step` names the call.
int havpn_sctp_open(
    const struct havpn_sctp_settings *settings, const uint32_t *addresses, size_t count, const char **step);

/// Starts an association toward a peer's addresses; 0, or -1 with errno (EINPROGRESS is success).
int havpn_sctp_connect(int fd, const uint32_t *addresses, size_t count, uint16_t port);

/// Receives a piece of a message or one notification; its length or -1. 0 is the end of a one-to-one socket.
ptrdiff_t havpn_sctp_receive(int fd, void *buffer, size_t capacity, struct havpn_sctp_received *received);

/// Sends one message on a one-to-one socket without blocking.
ptrdiff_t havpn_sctp_send(int fd, const void *bytes, size_t length);

/// Moves an association to a socket of its own, which aborts it when closed; the descriptor or -1.
int havpn_sctp_peel(int fd, int32_t association);

/// Aborts an association of a one-to-many socket.
int havpn_sctp_abort(int fd, int32_t association);

/// Reads the peer's addresses; their count (which may exceed `capacity`) or -1.
int havpn_sctp_peer_addresses(int fd, int32_t association, uint32_t *addresses, size_t capacity, uint16_t *port);

/// Reads the state of an association; 0 or -1.
int havpn_sctp_read_status(int fd, int32_t association, struct havpn_sctp_status *status);

/// Reads the state of one path; 0 or -1.
int havpn_sctp_read_path(int fd, int32_t association, uint32_t address, uint16_t port, struct havpn_sctp_path *path);

/// Sends by the path to this address of the peer while it is usable (SCTP_PRIMARY_ADDR); 0 or -1.
int havpn_sctp_prefer(int fd, uint32_t address, uint16_t port);

/// Takes the pending error of a socket (SO_ERROR).
int havpn_sctp_take_error(int fd);

#endif
