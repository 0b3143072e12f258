// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 9
#define FUNCS { "victim_value", new_value, 0 }, { "victim_untraced", new_value, 0 }
#include "patch.h"
