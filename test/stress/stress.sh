#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The stress run's /init: "ok NAME", "not ok NAME" and "# KEY VALUE" go to the serial port $protocol.
# The variable `cycles` comes on the kernel's command line. busybox's insmod tries twice when a module is refused.
export PATH=/bin:/sbin HOME=/ TERM=dumb
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox --install -s /bin
stty -F "/dev/$protocol" raw -echo
exec 3> "/dev/$protocol"
echo 8 > /proc/sys/kernel/printk
echo 1 > /proc/sys/kernel/panic_on_oops
control=/sys/kernel/hotpatch
parameters=/sys/module/hotpatch_core/parameters
tracing=/sys/kernel/tracing
busybox mount -t tracefs tracefs $tracing

check() { # NAME COMMAND…
	name=$1
	shift
	if "$@" > /tmp/output 2>&1; then
		echo "ok $name" >&3
	else
		echo "not ok $name: status $?: $(tr '\n' ' ' < /tmp/output)" >&3
		dmesg | tail -n 15 | sed 's/^/# | /' >&3
	fi
}
victim() { awk -v key="$1" '$1 == key { print $2 }' /proc/victim; }
is() { [ "$(victim value)" = "$1" ] && [ "$(victim wrong)" = 0 ] || { cat /proc/victim; return 1; }; }
load() { insmod "/modules/$1.ko"; }
fails() { "$@" && { echo 'did not fail'; return 1; } || return 0; }
refused() { # WORDS COMMAND…: fails, and the kernel says why
	words=$1
	shift
	dmesg -c > /dev/null
	"$@" 2>&1 && { echo 'was not refused'; return 1; }
	dmesg | grep -q "$words" || { dmesg | tail -n 5; return 1; }
}
set_enabled() { echo "$2" > "$control/$1/enabled"; }
says() { [ "$(cat "$1")" = "$2" ] || { cat "$1"; return 1; }; }
try_until_done() { # COMMAND…: a patch's module is let go a moment after it was disabled
	for _ in 1 2 3 4 5 6 7 8 9 10; do "$@" 2> /dev/null && return; usleep 100000; done
	"$@"
}

check 'without the core no patch loads' refused 'Unknown symbol hotpatch_register' load stress_a
check 'the core loads' load hotpatch_core
check 'a patch loads before its module' load stress_a
check 'its folder is there' says $control/stress_a/enabled 1
check 'its module is not patched yet' says $control/stress_a/victim/patched 0
check 'the module loads' load victim
check 'and is patched' is 2
check 'as its folder says' says $control/stress_a/victim/patched 1
check 'a folder for each function' test -d $control/stress_a/victim/victim_value,1
check 'no transition' says $control/stress_a/transition 0
check 'nothing is replaced' says $control/stress_a/replaces 0
check 'an enabled patch does not unload' fails rmmod stress_a
check 'enabled twice' refused 'is enabled already' set_enabled stress_a 1
check 'the module goes' rmmod victim
check 'and comes back' load victim
check 'patched' is 2
check 'a second patch on top' load stress_b
check 'is the one that runs' is 3
check 'the lower one cannot go first' refused 'is above it' set_enabled stress_a 0
check 'the upper one goes' set_enabled stress_b 0
check 'and leaves the lower one' is 2
check 'disabled twice' refused 'is not enabled' set_enabled stress_b 0
check 'it can come again' set_enabled stress_b 1
check 'on top' is 3
check 'one that replaces all' load stress_all
check 'runs' is 4
check 'the first is out' says $control/stress_a/enabled 0
check 'the second is out' says $control/stress_b/enabled 0
check 'the first unloads' try_until_done rmmod stress_a
check 'the second unloads' try_until_done rmmod stress_b
check 'it says that it replaces' says $control/stress_all/replaces 1
check 'it is disabled' set_enabled stress_all 0
check 'the old behaviour is back' is 1
check 'it unloads' try_until_done rmmod stress_all
check 'nothing is left of it' test ! -e $control/stress_all
check 'one with a state' load stress_state
check 'is not replaced by one that does not know it' refused 'does not know version 2 of state 7' load stress_all
check 'it stays' is 3
check 'it goes' set_enabled stress_state 0
check 'and unloads' try_until_done rmmod stress_state
check 'a callback that fails' refused 'fails with -28' load stress_callback
check 'changes nothing' is 1
check 'a symbol that is gone' refused "'victim_gone' (position 0) is not in victim" load stress_gone
check 'changes nothing' is 1
check 'a function without an entry' refused 'has no ftrace entry' load stress_untraced
check 'changes nothing' is 1
check 'another tracer comes' load stress_tracer
check 'it holds the function' refused 'ftrace does not let go' load stress_a
check 'changes nothing' is 1
check 'it goes' rmmod stress_tracer
check 'the module goes' rmmod victim
check 'a patch of the kernel and of a module that is not there' load stress_late
check 'the module comes' load victim
check 'all is linked' is 3
check 'the patch goes' set_enabled stress_late 0
check 'and unloads' try_until_done rmmod stress_late

echo 300 > $parameters/patience_ms
(echo 20000 > /proc/victim) &
usleep 200000
check 'a task that stays in the function' refused 'victim_sleep.*<--' load stress_a
check 'changes nothing' is 1
wait
echo 10000 > $parameters/patience_ms
check 'once it is out, the patch loads' load stress_a
(echo 20000 > /proc/victim) &
usleep 200000
echo 300 > $parameters/patience_ms
check 'a task that stays in the patch' refused 'new_sleep.*<--' set_enabled stress_a 0
check 'keeps it' is 2
wait
echo 10000 > $parameters/patience_ms
check 'once it is out, the patch goes' set_enabled stress_a 0

# Where the graph tracer has taken over a return, the stack has the tracer's address.
echo msleep_interruptible > $tracing/set_ftrace_filter
echo function_graph > $tracing/current_tracer
(echo 20000 > /proc/victim) &
usleep 200000
echo 300 > $parameters/patience_ms
check 'a task whose return is traced' refused 'victim_sleep.*<--' set_enabled stress_a 1
check 'changes nothing' is 1
wait
echo 10000 > $parameters/patience_ms
check 'once it is out, the patch comes, traced or not' set_enabled stress_a 1
check 'and runs' is 2
check 'and goes' set_enabled stress_a 0
echo nop > $tracing/current_tracer
echo > $tracing/set_ftrace_filter

count=0
missed=0
note_times() {
	cat $parameters/pause_us >> /tmp/pause
	cat $parameters/stop_us >> /tmp/stop
}
miss() {
	missed=$((missed + 1))
	echo "# | cycle $count: $*; ftrace: $(grep victim_ $tracing/enabled_functions | tr '\n' ' ')" >&3
}
cycle() { # WHETHER-ENABLED VALUE
	set_enabled stress_a "$1" 2> /tmp/output || miss "enabled $1: $(cat /tmp/output)"
	note_times
	got=$(victim value)
	[ "$got" = "$2" ] || miss "the value is '$got', not $2; then $(victim value)"
}
while [ $count -lt "$cycles" ]; do
	count=$((count + 1))
	cycle 1 2
	cycle 0 1
	[ $((count % 20)) = 0 ] && echo "# cycle $count" >&3
done
check "$cycles cycles without a miss" test $missed = 0
check 'no call was lost' is 1
for time in pause stop; do
	sort -n /tmp/$time > /tmp/sorted
	lines=$(wc -l < /tmp/sorted)
	for percent in 50 99 100; do
		echo "# ${time}_p${percent}_us $(sed -n "$(((lines * percent + 99) / 100))p" /tmp/sorted)" >&3
	done
done
echo "# calls $(victim calls)" >&3
echo "# tasks $(ls -d /proc/[0-9]* | wc -l)" >&3
# By itself: with two tracers, ftrace asks each for every call of either's functions.
awk '$1 != "value" { print "# " $1 "_ns_per_1000 " $2 }' /proc/victim-clock >&3
check 'enabled for the clock' set_enabled stress_a 1
awk '$1 == "value" { print "# " $1 "_ns_per_1000 " $2 }' /proc/victim-clock >&3
check 'disabled' set_enabled stress_a 0
check 'the patch unloads' try_until_done rmmod stress_a
check 'the victim unloads' rmmod victim
check 'the core unloads' rmmod hotpatch_core
check 'its folder is gone' test ! -e $control

# Of all that may find no memory, one after the other finds none, until all have been through. busybox's insmod then
# loads with the next try what was refused.
fails_in_turn() { # CHANGE
	number=0
	left=0
	while [ "$left" = 0 ]; do
		number=$((number + 1))
		"before_$1" || { echo "before $number"; return 1; }
		echo $number > $parameters/fail_at
		"$1"
		left=$(cat $parameters/fail_at)
		echo 0 > $parameters/fail_at
		is_whole || { echo "after $number"; return 1; }
	done
	echo "# failures_of_$1 $((number - 1))" >&3
}
is_whole() { # as before or after the change, and what is missing comes
	lsmod | grep -q '^victim ' || come || return
	lsmod | grep -q '^stress_a ' || load stress_a || return
	says $control/stress_a/enabled 1 > /dev/null || { is 1 && set_enabled stress_a 1; } || return
	is 2
}
before_register() { set_enabled stress_a 0 && is 1 && try_until_done rmmod stress_a && test ! -e $control/stress_a; }
register() { load stress_a; }
before_enable() { set_enabled stress_a 0 && is 1; }
enable() { set_enabled stress_a 1; }
before_disable() { is 2; }
disable() { set_enabled stress_a 0; }
before_come() { rmmod victim; }
come() { insmod /modules/victim.ko hammers=1 idlers=0; }
check 'a core that can be made to fail' load hotpatch_core_failing
check 'a small victim' come
check 'a patch' load stress_a
for change in register enable disable come; do
	check "no memory for it to $change" fails_in_turn $change
done
check 'it is disabled' set_enabled stress_a 0
check 'the old behaviour is back' is 1
check 'the patch unloads' try_until_done rmmod stress_a
check 'the victim unloads' rmmod victim
check 'the core unloads' rmmod hotpatch_core
echo '# end' >&3
exec 3>&-
busybox poweroff -n -f
