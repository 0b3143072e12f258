#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's /init: loads a hot patch, tests it, removes it, and reports each step as KTAP, version 1
# (Documentation/dev-tools/ktap.rst), on the serial port $protocol. Beyond KTAP, three diagnostic lines mean something
# to the host: "# begin NAME", "# time START END" (seconds of uptime) and "# end". What a step printed comes as "# | LINE".
#
# The host writes /plan, a list of shell variables:
#   module            name under /sys/module
#   control           its folder in sysfs: enabled, transition
#   modules           of the kernel's own, in loading order, in /modules
#   tests             in order; each a folder /tests/NAME: script, expect (behaviour or smoke), timeout, disk (or none)
#   compare           yes, or why the tests are not run without the patch
#   cycles            how often the patch is loaded and removed, at least once
#   patience          seconds for a transition, and for loading and removing
#   steps             how many results there will be
# or, in place of all between "module" and "cycles", for many modules, each by itself:
#   batch             in order; each a folder /batch/NAME: patch.ko, plan (module, control, modules)

export PATH=/bin:/sbin HOME=/ TERM=dumb
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox --install -s /bin
mount -t debugfs debugfs /sys/kernel/debug
echo 8 > /proc/sys/kernel/printk
# A kernel that oopsed proves nothing any more, and may hang with the locks that the dead task held.
echo 1 > /proc/sys/kernel/panic_on_oops
stty -F "/dev/$protocol" raw -echo
exec 3> "/dev/$protocol"
# How `limited` hears of its command's end; open both ways, so that neither end ever waits for the other.
mkfifo /tmp/ended
exec 4<> /tmp/ended

. /plan
patch=/patch.ko
number=0
indent=
within=
skipping=

now() { read -r uptime _ < /proc/uptime; }

begin() { # NAME
	name=$1
	[ -n "$skipping" ] && return
	echo "# begin $within$name" >&3
	echo "<6>hotpatch: begin $within$name" > /dev/kmsg
	now
	started=$uptime
	: > /tmp/output
}

end() { # STATUS [WORDS]: the result of the step begun last, failed unless STATUS is 0, with what /tmp/output holds
	number=$((number + 1))
	now
	[ -s /tmp/output ] && head -c 65536 /tmp/output | awk -v before="$indent# | " '{ print before $0 }' >&3
	[ "$1" = 0 ] && result=ok || result='not ok'
	echo "$indent# time $started $uptime
$indent$result $number $name${2:+ # $2}" >&3
	[ "$1" = 0 ]
}

skip() { # NAME: a step that is not taken, because of $skipping
	number=$((number + 1))
	echo "${indent}ok $number $1 # SKIP $skipping" >&3
}

# Runs a command in the background of a session of its own, its output in /tmp/output, its exit status in $status;
# after SECONDS all processes but this one are killed and the status is "late". A command that is stuck inside the
# kernel survives that, and is left behind.
limited() { # SECONDS COMMAND…
	limit=$1
	shift
	{
		setsid "$@" < /dev/null > /tmp/output 2>&1 3>&- 4>&-
		echo $? >&4
	} &
	status=late
	read -r -t "$limit" status <&4 && return "$status"
	status=late
	echo "not done after $limit s" >> /tmp/output
	for process in /proc/[0-9]*; do
		[ "${process#/proc/}" = 1 ] || describe "$process" >> /tmp/output
	done
	kill -KILL -1
	return 1
}

describe() { # /proc/PID: name and kernel stack of a process; kernel threads, which have no program, are left out
	readlink "$1/exe" > /dev/null || return
	read -r comm < "$1/comm"
	echo "$comm (pid ${1##*/}):"
	sed 's/^\[<0>\]/ /' "$1/stack"
} 2> /dev/null

# Tests

run_test() { # PHASE NAME
	begin "test $1: $2"
	folder=/tests/$2
	read -r expect < "$folder/expect"
	read -r timeout < "$folder/timeout"
	disk=
	if [ -e "$folder/disk" ]; then
		cp "$folder/disk" /tmp/disk
		disk=$(losetup -f)
		losetup "$disk" /tmp/disk
	fi
	export disk
	mkdir -p "/tmp/work/$2"
	cd "/tmp/work/$2" || return
	limited "$timeout" sh "$folder/script"
	case $expect-$1-$status in
	*-2 | *-126 | *-127) end 1 "ERROR the test could not tell: exit status $status" ;;
	behaviour-loaded-late | smoke-*-late) end 1 "TIMEOUT after $timeout s" ;;
	smoke-*-0 | behaviour-loaded-0) end 0 "exit status 0" ;;
	smoke-* | behaviour-loaded-* | behaviour-*-0) end 1 "exit status $status" ;;
	*-late) end 0 "not done after $timeout s" ;;
	*) end 0 "exit status $status" ;;
	esac
	cd /
	# After an oops the locks it held are never freed, and to unmount would hang.
	if [ -n "$disk" ] && ! oopsed; then
		limited 10 umount -a -t ext2,ext3,ext4
		limited 5 losetup -d "$disk"
	fi
}

# The module

# A live patch is loaded by its init function, and starts its transition there.
load() {
	begin load
	if limited "$patience" insmod "$patch"; then
		end 0
	elif [ "$status" = late ]; then
		end 1 "TIMEOUT after $patience s"
	else
		end 1 "insmod: exit status $status"
	fi
}

tasks_in_transition() { # GOAL: what patch_state says of the tasks that are through (0 old code, 1 new code)
	for task in /proc/[0-9]*/task/[0-9]*; do
		read -r state < "$task/patch_state"
		[ "$state" = "$1" ] || [ "$state" = -1 ] && continue
		read -r comm < "$task/comm"
		echo "held up by $comm (pid ${task##*/}):"
		sed 's/^\[<0>\]/ /' "$task/stack"
	done
} 2> /dev/null

settled() { # GOAL: waits for the end of the transition
	now
	giving_up=$((${uptime%.*} + patience))
	while read -r moving < "$control/transition" && [ "$moving" != 0 ]; do
		now
		if [ "${uptime%.*}" -ge $giving_up ]; then
			tasks_in_transition "$1" > /tmp/output
			return 1
		fi
		usleep 10000
	done 2> /dev/null
}

transition() {
	begin transition
	if [ ! -e "$control/transition" ]; then
		echo "$control does not exist: $module is no live patch, or is not enabled" > /tmp/output
		end 1
	elif settled 1; then
		end 0
	else
		end 1 "TIMEOUT after $patience s"
	fi
}

disable() {
	begin disable
	limited "$patience" sh -c "echo 0 > $control/enabled" || { end 1; return; }
	settled 0 || { end 1 "TIMEOUT after $patience s"; return; }
	end 0
}

# The kernel lets go of a disabled patch a little later, in a work queue.
unload() {
	begin unload
	now
	giving_up=$((${uptime%.*} + patience))
	until limited "$patience" rmmod "$module"; do
		now
		if [ "${uptime%.*}" -ge $giving_up ]; then
			end 1 "rmmod: exit status $status"
			return
		fi
		usleep 20000
	done
	end 0
}

# A step that consists of others.
group() { # NAME COUNT COMMAND
	begin "$1"
	outer_name=$name outer_number=$number outer_started=$started
	indent='  ' within="$name: " number=0
	printf '  KTAP version 1\n  1..%s\n' "$2" >&3
	"$3"
	passed=$?
	indent= within= number=$outer_number name=$outer_name started=$outer_started
	: > /tmp/output
	end $passed
}

cycle() { disable && unload && load && transition; }

# A moment of ordinary life: files, processes, a network.
exercise() {
	begin exercise
	limited "$patience" sh -e -c '
		cat /proc/meminfo /proc/mounts /proc/self/maps /proc/self/status /proc/net/dev /proc/net/tcp > /dev/null
		dd if=/dev/urandom of=/tmp/file bs=4k count=64
		cp /tmp/file /tmp/copy && cmp /tmp/file /tmp/copy && rm /tmp/file /tmp/copy
		mkdir -p /tmp/mount && mount -t tmpfs none /tmp/mount && touch /tmp/mount/file && umount /tmp/mount
		ls -lR /proc/self/ /sys/class > /dev/null
		ip link set lo up && ping -c 1 -W 5 127.0.0.1'
	end "$status"
}

# One of a batch: what it patches, if that loads here; then in and out again.
one() {
	patch=$folder/patch.ko
	. "$folder/plan"
	begin targets
	missing=0
	for each in $modules; do
		grep -q "^$each " /proc/modules || limited "$patience" insmod "/modules/$each" || missing=1
		[ $missing = 0 ] || break
	done
	end $missing
	if ! load; then
		skipping='the patch is not loaded'
		for each in transition exercise disable unload; do skip $each; done
		skipping=
		return 1
	fi
	transition
	settled=$?
	exercise
	exercised=$?
	disable && unload && [ $settled = 0 ] && [ $exercised = 0 ]
}

oopsed() { # whether the kernel has died once: TAINT_DIE, Documentation/admin-guide/tainted-kernels.rst
	read -r taint < /proc/sys/kernel/tainted
	[ $((taint & 128)) != 0 ]
}

finish() {
	echo '# end' >&3
	echo '<6>hotpatch: end' > /dev/kmsg
	# Waits until the serial port has sent everything.
	exec 3>&-
	busybox poweroff -n -f
}

# The steps

printf 'KTAP version 1\n1..%s\n' "$steps" >&3

for member in $batch; do
	folder=/batch/$member
	group "$member" 6 one
done
[ -z "$batch" ] || finish

if [ -n "$modules" ]; then
	begin "kernel modules"
	for each in $modules; do
		limited "$patience" insmod "/modules/$each" || break
	done
	end $? || skipping='a kernel module that is needed does not load'
fi

for test in $tests; do
	[ "$compare" = yes ] || skipping=$compare
	if [ -n "$skipping" ]; then skip "test before: $test"; else run_test before "$test"; fi
	oopsed && skipping='the kernel died before the patch was loaded'
done
[ "$compare" = yes ] || skipping=

loaded=
if [ -n "$skipping" ]; then
	skip load
	skip transition
else
	if load; then
		loaded=yes
	else
		skipping='the patch is not loaded'
	fi
	if [ -n "$skipping" ]; then
		skip transition
	elif ! transition; then
		skipping='the transition did not end'
	fi
fi
for test in $tests; do
	if [ -n "$skipping" ]; then skip "test loaded: $test"; else run_test loaded "$test"; fi
done
count=2
while [ $count -le "$cycles" ]; do
	if [ -n "$skipping" ]; then
		skip "cycle $count of $cycles"
	elif ! group "cycle $count of $cycles" 4 cycle; then
		skipping="cycle $count failed"
		loaded=
	fi
	count=$((count + 1))
done

# A patch whose transition did not end can still be disabled.
if [ -n "$loaded" ]; then
	skipping=
	if disable; then
		unload || skipping='the patch is still loaded'
	else
		skipping='the patch is still enabled'
		skip unload
	fi
else
	: "${skipping:=the patch is not loaded}"
	skip disable
	skip unload
fi
for test in $tests; do
	[ "$compare" = yes ] || skipping=$compare
	if [ -n "$skipping" ]; then skip "test after: $test"; else run_test after "$test"; fi
done

finish
