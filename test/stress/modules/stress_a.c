// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 2
#include "patch.h"
