#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# Guest's /init: says that a shell runs, and powers off.
busybox mount -t devtmpfs dev /dev
echo booted > "/dev/$protocol"
busybox poweroff -n -f
