#include "CSCTP.h"
