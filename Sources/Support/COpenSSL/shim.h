#ifndef KDCUBE_COPENSSL_SHIM_H
#define KDCUBE_COPENSSL_SHIM_H
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

/* A macro of macros, which Swift does not see. */
static const int KDCUBE_PKEY_PUBLIC_KEY = EVP_PKEY_PUBLIC_KEY;

/* In C, because a builder keeps the addresses of names and texts, and those of a Swift literal end with the call. */
static inline int kdcube_push_rsa(OSSL_PARAM_BLD *builder, const BIGNUM *n, const BIGNUM *e) {
    return OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
}

/* The point must outlive the builder's parameters. */
static inline int kdcube_push_p256(OSSL_PARAM_BLD *builder, const void *point, size_t size) {
    return OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
           OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, size);
}
#endif
