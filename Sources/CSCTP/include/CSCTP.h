// SPDX-License-Identifier: Apache-2.0
#ifndef HAVPN_CSCTP_H
#define HAVPN_CSCTP_H

#include <netinet/sctp.h>

#endif
