#ifndef KDCUBE_CMALLOC_SHIM_H
#define KDCUBE_CMALLOC_SHIM_H
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Gives whole free pages of all arenas back to the kernel. 1 when there were some; other libraries than glibc do so on their own, or never. */
static inline int kdcube_release_free_pages(void) {
#ifdef __GLIBC__
    return malloc_trim(0);
#else
    return 0;
#endif
}
#endif
