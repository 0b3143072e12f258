# Both files must show the line, and both count in the same variable.
first=$(sed -n 's/hot patched, shown \(.*\) times/\1/p' /proc/loadavg)
second=$(sed -n 's/hot patched, shown \(.*\) times/\1/p' /proc/uptime)
echo "loadavg: ${first:-not patched}, uptime: ${second:-not patched}"
[ -n "$first" ] && [ "$second" = $((first + 1)) ]
