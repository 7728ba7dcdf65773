#!/bin/sh
# The first process of an emulated board, in namespaces of its own: puts its file system together, then becomes the
# program that follows. Mounts are this namespace's alone and end with it.
# boot.sh IMAGE FOLDER COMMAND...   FOLDER holds upper, work, root (empty) and boot_id
set -eu
image=$1 folder=$2
shift 2
root=$folder/root
mount -t overlay overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o size=8m tmpfs "$root/mnt" # a disk that is soon full
for device in null zero full random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount --bind "$folder/boot_id" "$root/proc/sys/kernel/random/boot_id"
hostname board
exec chroot "$root" "$@"
