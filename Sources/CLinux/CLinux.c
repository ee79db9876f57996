// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct havpn_address from_ipv4(struct in_addr address) {
    return (struct havpn_address){.low = ntohl(address.s_addr)};
}

static struct havpn_address from_ipv6(const struct in6_addr *address) {
    struct havpn_address result = {.is_ipv6 = 1};
    for (int index = 0; index < 8; index++) {
        result.high = result.high << 8 | address->s6_addr[index];
        result.low = result.low << 8 | address->s6_addr[index + 8];
    }
    return result;
}

static struct in6_addr to_ipv6(struct havpn_address address) {
    struct in6_addr result;
    for (int index = 0; index < 8; index++) {
        result.s6_addr[index] = (uint8_t)(address.high >> (56 - 8 * index));
        result.s6_addr[index + 8] = (uint8_t)(address.low >> (56 - 8 * index));
    }
    return result;
}

ssize_t havpn_receive_datagram(int fd, void *buffer, size_t capacity, struct havpn_datagram *info) {
    union {
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } source = {0};
    struct iovec part = {.iov_base = buffer, .iov_len = capacity};
    _Alignas(struct cmsghdr) char control[256];
    struct msghdr message = {
        .msg_name = &source,
        .msg_namelen = sizeof source,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    memset(info, 0, sizeof *info);
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length < 0) return -1;
    int is_ipv6 = source.ipv4.sin_family == AF_INET6;
    info->source = is_ipv6 ? from_ipv6(&source.ipv6.sin6_addr) : from_ipv4(source.ipv4.sin_addr);
    info->source_port = ntohs(is_ipv6 ? source.ipv6.sin6_port : source.ipv4.sin_port);
    info->is_truncated = (message.msg_flags & MSG_TRUNC) != 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo packet;
            memcpy(&packet, CMSG_DATA(item), sizeof packet);
            info->destination = from_ipv4(packet.ipi_addr);
            info->interface_index = (uint32_t)packet.ipi_ifindex;
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo packet;
            memcpy(&packet, CMSG_DATA(item), sizeof packet);
            info->destination = from_ipv6(&packet.ipi6_addr);
            info->interface_index = packet.ipi6_ifindex;
        } else if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&info->dropped, CMSG_DATA(item), sizeof info->dropped);
        }
    }
    return length;
}

ssize_t havpn_send_descriptors(int fd, const void *bytes, size_t length, const int *descriptors, size_t count) {
    if (count > HAVPN_MAXIMUM_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * HAVPN_MAXIMUM_DESCRIPTORS)] = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *item = CMSG_FIRSTHDR(&message);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(item), descriptors, sizeof(int) * count);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t havpn_receive_descriptors(
    int fd, void *buffer, size_t capacity, int *descriptors, size_t *count, int *is_truncated) {
    struct iovec part = {.iov_base = buffer, .iov_len = capacity};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * HAVPN_MAXIMUM_DESCRIPTORS)];
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    size_t room = *count;
    *count = 0;
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) return -1;
    *is_truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        size_t found = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < found; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(item) + index * sizeof(int), sizeof(int));
            if (*count < room) {
                descriptors[(*count)++] = descriptor;
            } else {
                close(descriptor);
                *is_truncated = 1;
            }
        }
    }
    return length;
}

int havpn_bind_netlink(int fd, uint32_t groups) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

ssize_t havpn_receive_netlink(int fd, void *buffer, size_t capacity, uint32_t *sender, int *is_truncated) {
    struct sockaddr_nl address = {0};
    struct iovec part = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length < 0) return -1;
    *sender = address.nl_pid;
    *is_truncated = (message.msg_flags & MSG_TRUNC) != 0;
    return length;
}

uint32_t havpn_netlink_port(int fd) {
    struct sockaddr_nl address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return 0;
    return address.nl_pid;
}

int havpn_bind_packet(int fd, uint32_t interface_index, uint16_t protocol) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(protocol),
        .sll_ifindex = (int)interface_index,
    };
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

int havpn_filter_arp_senders(int fd, const uint32_t *addresses, size_t count) {
    enum { SENDER_ADDRESS = 28, PROGRAM_LIMIT = 4096, WHOLE_FRAME = 0x40000 };
    struct sock_filter program[PROGRAM_LIMIT];
    size_t length = 0;
    if (2 * count + 3 > PROGRAM_LIMIT) {
        errno = E2BIG;
        return -1;
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SENDER_ADDRESS);
    for (size_t number = 0; number < count; number++) {
        uint32_t to_end = (uint32_t)(2 * (count - number) - 1);
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, addresses[number], 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, to_end);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, WHOLE_FRAME);
    struct sock_fprog whole = {.len = (unsigned short)length, .filter = program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole);
}

ssize_t havpn_send_frame(int fd, uint32_t interface_index, const void *bytes, size_t length) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)interface_index,
        .sll_halen = 6,
    };
    if (length < 14) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sll_addr, bytes, 6);
    return sendto(fd, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
}

int havpn_multicast_membership(int fd, struct havpn_address group, uint32_t interface_index, int joins) {
    if (group.is_ipv6) {
        struct ipv6_mreq request = {.ipv6mr_multiaddr = to_ipv6(group), .ipv6mr_interface = interface_index};
        int option = joins ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP;
        return setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request);
    }
    struct ip_mreqn request = {
        .imr_multiaddr.s_addr = htonl((uint32_t)group.low),
        .imr_ifindex = (int)interface_index,
    };
    return setsockopt(fd, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request, sizeof request);
}

ssize_t havpn_send_multicast(
    int fd, const void *bytes, size_t length, struct havpn_address group, uint16_t port, struct havpn_address source,
    uint32_t interface_index) {
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl((uint32_t)group.low),
    };
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
        .sin6_addr = to_ipv6(group),
        .sin6_scope_id = interface_index,
    };
    struct in_pktinfo ipv4_packet = {
        .ipi_ifindex = (int)interface_index,
        .ipi_spec_dst.s_addr = htonl((uint32_t)source.low),
    };
    struct in6_pktinfo ipv6_packet = {.ipi6_addr = to_ipv6(source), .ipi6_ifindex = interface_index};
    size_t packet_length = group.is_ipv6 ? sizeof ipv6_packet : sizeof ipv4_packet;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
    struct msghdr message = {
        .msg_name = group.is_ipv6 ? (void *)&ipv6 : (void *)&ipv4,
        .msg_namelen = group.is_ipv6 ? sizeof ipv6 : sizeof ipv4,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = CMSG_SPACE(packet_length),
    };
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = group.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    item->cmsg_type = group.is_ipv6 ? IPV6_PKTINFO : IP_PKTINFO;
    item->cmsg_len = CMSG_LEN(packet_length);
    memcpy(CMSG_DATA(item), group.is_ipv6 ? (void *)&ipv6_packet : (void *)&ipv4_packet, packet_length);
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int havpn_multicast_interface(int fd, int is_ipv6, uint32_t interface_index) {
    if (is_ipv6) {
        int index = (int)interface_index;
        return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
    }
    struct ip_mreqn request = {.imr_ifindex = (int)interface_index};
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
}

int havpn_bind_port(int fd, int is_ipv6, uint16_t port) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    return is_ipv6 ? bind(fd, (struct sockaddr *)&ipv6, sizeof ipv6) : bind(fd, (struct sockaddr *)&ipv4, sizeof ipv4);
}

socklen_t havpn_unix_address(struct sockaddr_un *address, const void *path, size_t length) {
    memset(address, 0, sizeof *address);
    if (length == 0 || length >= sizeof address->sun_path) return 0;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    int is_abstract = address->sun_path[0] == 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1));
}

int havpn_peer_credentials(int fd, uint32_t *process, uint32_t *user, uint32_t *group) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *process = (uint32_t)credentials.pid;
    *user = credentials.uid;
    *group = credentials.gid;
    return 0;
}

static int set_capabilities(uint64_t mask) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
        {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

int havpn_become(uint32_t user, uint32_t group, uint64_t mask) {
    gid_t only = group;
    /* Without this the change of user would clear the permitted set. */
    if (prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) != 0) return -1;
    if (setgroups(1, &only) != 0) return -1;
    if (setresgid(group, group, group) != 0) return -1;
    if (setresuid(user, user, user) != 0) return -1;
    return set_capabilities(mask);
}

uint64_t havpn_effective_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) != 0) return 0;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

int havpn_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL); }

int havpn_forbid_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL); }

int havpn_set_name(const char *name) { return prctl(PR_SET_NAME, (unsigned long)name, 0UL, 0UL, 0UL); }

int havpn_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, 9UL, 0UL, 0UL, 0UL); }

int havpn_peek_ended(void) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
    return (int)info.si_pid;
}

int havpn_bind_ipv4(int fd, uint32_t address) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    return bind(fd, (struct sockaddr *)&name, sizeof name);
}

int havpn_connect_ipv4(int fd, uint32_t address) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    return connect(fd, (struct sockaddr *)&name, sizeof name);
}

int havpn_lock_memory_on_fault(void) { return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); }

int havpn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int havpn_enter_network(int fd) { return fd < 0 ? unshare(CLONE_NEWNET) : setns(fd, CLONE_NEWNET); }

int havpn_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int havpn_set_close_on_exec(int fd, int is_on) { return fcntl(fd, F_SETFD, is_on ? FD_CLOEXEC : 0); }

int havpn_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int havpn_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 10); }
