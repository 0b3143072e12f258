# The callback has set the running kernel's own variable if this reads 10; without the patch it is 20, before and after.
cat /proc/sys/vm/dirty_ratio
[ "$(cat /proc/sys/vm/dirty_ratio)" = 10 ]
