#ifndef KDCUBE_COPENSSL_SHIM_H
#define KDCUBE_COPENSSL_SHIM_H
#include <openssl/sha.h>
#include <openssl/evp.h>
#endif
