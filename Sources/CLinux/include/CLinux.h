// SPDX-License-Identifier: Apache-2.0
#ifndef HAVPN_CLINUX_H
#define HAVPN_CLINUX_H

/* No _GNU_SOURCE here: it would change declarations that Swift's own C module has seen without it. */
#include <net/if.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>

#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/xfrm.h>

/* Header lines too new for the oldest supported distribution. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/// An address in host order: two halves of an IPv6 address, or an IPv4 address in `low`.
struct havpn_address {
    uint64_t high;
    uint64_t low;
    int is_ipv6;
};

/// What one UDP datagram came with, beside its bytes.
struct havpn_datagram {
    /// Source address and port, host order.
    struct havpn_address source;
    uint16_t source_port;
    /// Destination address of the packet (IP_PKTINFO, IPV6_PKTINFO); 0 if the kernel did not say.
    struct havpn_address destination;
    /// Interface index (IP_PKTINFO, IPV6_PKTINFO); 0 if the kernel did not say.
    uint32_t interface_index;
    /// Datagrams dropped on this socket so far (SO_RXQ_OVFL); 0 if the kernel did not say.
    uint32_t dropped;
    /// Nonzero if the datagram was longer than the buffer.
    int is_truncated;
};

/// Receives one datagram without blocking; returns its length or -1 with errno.
ssize_t havpn_receive_datagram(int fd, void *buffer, size_t capacity, struct havpn_datagram *info);

/// The most descriptors that travel with one message.
#define HAVPN_MAXIMUM_DESCRIPTORS 8

/// Sends one message with `count` descriptors attached, never blocking, never raising SIGPIPE.
ssize_t havpn_send_descriptors(int fd, const void *bytes, size_t length, const int *descriptors, size_t count);

/// Receives one message and its descriptors (close-on-exec set); surplus ones are closed and `is_truncated` is set.
ssize_t havpn_receive_descriptors(
    int fd, void *buffer, size_t capacity, int *descriptors, size_t *count, int *is_truncated);

/// Binds a netlink socket to the groups of the legacy bit mask; returns 0 or -1.
int havpn_bind_netlink(int fd, uint32_t groups);

/// Receives one netlink datagram; `sender` is the sending port id (0 is the kernel).
ssize_t havpn_receive_netlink(int fd, void *buffer, size_t capacity, uint32_t *sender, int *is_truncated);

// The port id that the kernel gave a netlink socket; 0 if it has none.
uint32_t havpn_netlink_port(int fd);

/// Binds a packet socket to an interface (protocol in host order; 0 receives nothing).
int havpn_bind_packet(int fd, uint32_t interface_index, uint16_t protocol);

/// Lets through to a packet socket only ARP frames whose sender has one of these addresses (host order); returns 0 or -1.
int havpn_filter_arp_senders(int fd, const uint32_t *addresses, size_t count);

/// Sends a whole link-layer frame through an interface without blocking.
ssize_t havpn_send_frame(int fd, uint32_t interface_index, const void *bytes, size_t length);

/// Joins (or leaves) a multicast group by interface index.
int havpn_multicast_membership(int fd, struct havpn_address group, uint32_t interface_index, int joins);

/// Sends one datagram to a multicast group through an interface; a `source` of 0 lets the kernel choose.
ssize_t havpn_send_multicast(
    int fd, const void *bytes, size_t length, struct havpn_address group, uint16_t port, struct havpn_address source,
    uint32_t interface_index);

/// Makes multicast leave by an interface index.
int havpn_multicast_interface(int fd, int is_ipv6, uint32_t interface_index);

/// Binds a socket to a port and any address of its family.
int havpn_bind_port(int fd, int is_ipv6, uint16_t port);

/// Fills a UNIX address; a name that starts with a zero byte is abstract. Returns the length, or 0 if too long.
socklen_t havpn_unix_address(struct sockaddr_un *address, const void *path, size_t length);

/// Credentials of the process at the other end of a UNIX stream.
int havpn_peer_credentials(int fd, uint32_t *process, uint32_t *user, uint32_t *group);

/// Becomes a user with one group, keeping exactly the capabilities of `mask`, permitted and effective.
int havpn_become(uint32_t user, uint32_t group, uint64_t mask);

/// Reads the effective capabilities of the calling thread; 0 on failure.
uint64_t havpn_effective_capabilities(void);

/// Forbids core dumps and tracing of this process (PR_SET_DUMPABLE).
int havpn_forbid_dumps(void);

/// Forbids gaining privileges by executing a program (PR_SET_NO_NEW_PRIVS).
int havpn_forbid_new_privileges(void);

/// Names the calling thread; at most 15 bytes are shown (PR_SET_NAME).
int havpn_set_name(const char *name);

/// Has the kernel kill this process when the thread that started it ends (PR_SET_PDEATHSIG).
int havpn_die_with_parent(void);

/// A child that has ended and was not collected yet, which stays so; 0 if there is none.
int havpn_peek_ended(void);

/// Binds an IPv4 socket to an address, port 0. Host order.
int havpn_bind_ipv4(int fd, uint32_t address);

/// Connects an IPv4 socket to an address, port 0. Host order.
int havpn_connect_ipv4(int fd, uint32_t address);

/// Locks all pages now and later when they are first touched (MCL_ONFAULT).
int havpn_lock_memory_on_fault(void);

/// Has a spawned program start with every descriptor from `first` on closed; 0 or an errno.
int havpn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Moves the calling thread into a new network namespace, or with a descriptor into that one; for tests.
int havpn_enter_network(int fd);

/// Accepts a connection, close-on-exec and non-blocking.
int havpn_accept(int fd);

/// Changes one flag of fcntl F_GETFD / F_SETFD.
int havpn_set_close_on_exec(int fd, int is_on);

/// Sets O_NONBLOCK.
int havpn_set_nonblocking(int fd);

/// Duplicates with close-on-exec set.
int havpn_duplicate(int fd);

#endif
