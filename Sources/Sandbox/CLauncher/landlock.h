#ifndef CLAUNCHER_LANDLOCK_H
#define CLAUNCHER_LANDLOCK_H

#include "CLauncher.h"

// A ruleset that handles all that this kernel's Landlock knows and allows the paths alone. Returns its descriptor, or -1.
int claunch_ruleset(const struct claunch_path *paths, size_t count);

#endif
