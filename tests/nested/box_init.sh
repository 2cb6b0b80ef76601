#!/bin/busybox sh
# /init of the box: modules, the host's root seen through an overlay, then box_run.sh in it as process 1.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
. /box/settings

for module in $(cat /box/modules); do
    insmod "/box/$module" || fail=1
done
[ -e /dev/kvm ] || echo 'kvmbox: no /dev/kvm: kvm-amd did not take'

mkdir -p /lower /upper /root
# cache=loose: the host's files are taken not to change while a box is up.
options=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o "ro,cache=loose,$options" host /lower || exec poweroff -f
mount -t tmpfs -o size=75% upper /upper
mkdir /upper/files /upper/work
mount -t overlay -o "lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work" root /root || exec poweroff -f

mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 shm /root/dev/shm
mount -t tmpfs -o mode=755 run /root/run
mount -t cgroup2 cgroup /root/sys/fs/cgroup
ln -sf /proc/self/fd /root/dev/fd
ln -sf /proc/self/fd/0 /root/dev/stdin
ln -sf /proc/self/fd/1 /root/dev/stdout
ln -sf /proc/self/fd/2 /root/dev/stderr

# modprobe finds the rest of the kernel's modules where it looks for them.
mkdir -p "/root/lib/modules/$(uname -r)"
mount --bind "/lower$MODULES" "/root/lib/modules/$(uname -r)"

number=0
while read -r folder; do
    mkdir -p "/root$folder"
    # cache=mmap: what the box writes is on the host at once, and mappings work nevertheless.
    mount -t 9p -o "rw,cache=mmap,$options" "share$number" "/root$folder" || exec poweroff -f
    number=$((number + 1))
done </box/shares

ip link set lo up
hostname kvmbox
mkdir /root/run/kvmbox
cp /bin/busybox /box/run /box/command /root/run/kvmbox/
exec switch_root /root /run/kvmbox/busybox sh /run/kvmbox/run
