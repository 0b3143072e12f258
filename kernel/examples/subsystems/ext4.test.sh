# kind: smoke
# disk: ext4 32M
# timeout: 60
# What every ext4 must do: allocate, free, allocate again although memory was short, and find it all after a new mount.
mkdir -p mnt
mount -t ext4 "$disk" mnt || exit 1
for i in 1 2 3 4; do
	dd if=/dev/urandom of="mnt/file$i" bs=64k count=16 2> /dev/null || exit 1
done
rm mnt/file2
sync
# Takes the block bitmaps out of the page cache, as reclaim does.
echo 3 > /proc/sys/vm/drop_caches
dd if=/dev/urandom of=mnt/large bs=64k count=48 2> /dev/null || exit 1
sync
before=$(cat mnt/file1 mnt/file3 mnt/file4 mnt/large | md5sum)
umount mnt && mount -t ext4 "$disk" mnt || exit 1
after=$(cat mnt/file1 mnt/file3 mnt/file4 mnt/large | md5sum)
umount mnt
echo "written: $before read: $after"
[ "$before" = "$after" ]
