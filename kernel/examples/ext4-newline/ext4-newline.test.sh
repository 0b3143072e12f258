# disk: ext4 16M
mkdir -p mnt
mount -t ext4 "$disk" mnt || exit 2
touch mnt/plain || exit 2
touch "mnt/two
lines" 2>&1 && created=yes
ls mnt
umount mnt
[ -z "$created" ]
