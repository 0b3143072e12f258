# The shell's umask is the system call; files show that it took effect.
rm -f made
umask 0
umask
: > made
ls -l made
[ "$(umask)" = 0002 ] && [ "$(stat -c %a made)" = 664 ]
