# The line is there if and only if the new meminfo_proc_show() runs.
tail -n 1 /proc/meminfo
grep -q '^HotPatched: *1$' /proc/meminfo
