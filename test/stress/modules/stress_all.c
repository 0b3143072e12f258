// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 4
#define REPLACE 1
#include "patch.h"
