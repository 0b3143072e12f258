# A shell that renames itself twice is counted; one that has not renamed itself has no counter.
grep -q renamed /proc/$$/comm && exit 1
printf one >/proc/$$/comm
printf two >/proc/$$/comm
cat /proc/$$/comm
grep -qx 'two (renamed 2 times)' /proc/$$/comm
