#ifndef KDCUBE_CHIREDIS_SHIM_H
#define KDCUBE_CHIREDIS_SHIM_H
#include <hiredis/hiredis.h>
#endif
