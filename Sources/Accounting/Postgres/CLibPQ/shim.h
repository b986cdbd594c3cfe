#ifndef KDCUBE_CLIBPQ_SHIM_H
#define KDCUBE_CLIBPQ_SHIM_H
#include <libpq-fe.h>
#endif
