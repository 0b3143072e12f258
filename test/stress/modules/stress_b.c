// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 3
#include "patch.h"
