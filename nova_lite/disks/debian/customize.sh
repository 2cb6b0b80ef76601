# Run by mmdebstrap when all packages are there, with the tree as $1: makes of it an image that is new at each first boot.
# KERNEL, INITRAMFS and DISK are the files to write to; MIRROR, SECURITY and SUITE what the server's apt is to use.
set -eu
cat "$1"/boot/vmlinuz-* >"$KERNEL"
cat "$1"/boot/initrd.img-* >"$INITRAMFS"

printf '/dev/vda / ext4 errors=remount-ro 0 1\n' >"$1/etc/fstab"
echo debian >"$1/etc/hostname"
: >"$1/etc/resolv.conf"
: >"$1/etc/machine-id"
rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id" "$1"/etc/apt/sources.list.d/0*
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/apt
mkdir -p "$1/var/cache/apt/archives/partial" "$1/var/lib/apt/lists/partial"
{
    echo "deb $MIRROR $SUITE main"
    if [ "$SUITE" != sid ] && [ "$SUITE" != unstable ]; then
        echo "deb $MIRROR $SUITE-updates main"
        echo "deb $SECURITY $SUITE-security main"
    fi
} >"$1/etc/apt/sources.list"
cat >"$1/etc/cloud/cloud.cfg.d/90_nova-lite.cfg" <<'END'
# The datasources that nova-lite has, in the order in which they are asked.
datasource_list: [ConfigDrive, OpenStack, None]
apt:
  preserve_sources_list: true
# The one that needs no package of locales; the usual en_US.UTF-8 would be this image's first error.
locale: C.UTF-8
END

# What is mounted in the tree (proc, sys, dev) is none of the disk's: seen through another mount, it is not there.
unshare --mount sh -euc '
    mount --bind "$1" "$1/mnt"
    mke2fs -q -F -t ext4 -m 1 -E lazy_itable_init=1,lazy_journal_init=1 -d "$1/mnt" "$DISK"
' sh "$1"
