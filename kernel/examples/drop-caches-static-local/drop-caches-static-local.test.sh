# Without the patch, the last line below silences the kernel. With it, the first message must already be the new one,
# which is only printed when the variable kept the value it got from the old code.
mark="drop-caches test $$ $(cat /proc/uptime)"
echo "$mark" > /dev/kmsg
echo 1 > /proc/sys/vm/drop_caches
dmesg | sed "1,/$mark/d"
dmesg | sed "1,/$mark/d" | grep -q 'drop_caches: 1, silenced earlier'
status=$?
echo 4 > /proc/sys/vm/drop_caches
exit $status
