// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 3
#define STATES { .id = 7, .version = 2 }
#include "patch.h"
