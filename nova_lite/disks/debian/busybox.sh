# Run by mmdebstrap when packages are unpacked in $1 (and none installed): makes a Linux of a few of their files.
# KERNEL, INITRAMFS and DISK are the files to write to; SUITE is the release's name.
set -eu
tree=$1
made=$tree/made start=$tree/start
mkdir "$made" "$start"
cd "$made"
mkdir -p bin dev etc/dropbear etc/init.d etc/acpi/PWRF lib lib64 mnt proc root run sys tmp usr var/lib/nova-lite
chmod 1777 tmp
chmod 700 root
ln -s bin sbin
ln -s ../run var/run
ln -s ../tmp var/tmp
for name in bin sbin lib lib64; do ln -s "../$name" "usr/$name"; done

found() { # the file NAME among the packages' programs
    find "$tree"/bin "$tree"/sbin "$tree"/usr/bin "$tree"/usr/sbin -name "$1" \( -type f -o -type l \) 2>/dev/null | head -n 1
}

# Programs: busybox for nearly all, and those of which it has none or less, with the libraries that they need.
busybox=$(found busybox)
cp "$busybox" bin/busybox
for name in $(bin/busybox --list); do [ "$name" = busybox ] || ln -s busybox "bin/$name"; done
ld=$(find "$tree"/lib64/ "$tree"/usr/lib64/ -name 'ld-linux-x86-64.so.2' 2>/dev/null | head -n 1)
cp -L "$ld" lib64/
libraries=$(for folder in lib usr/lib; do printf '%s:' "$tree/$folder/x86_64-linux-gnu" "$tree/$folder"; done)
for name in dropbear dropbearkey dbclient lsblk blkid mke2fs resize2fs; do
    program=$(found "$name")
    [ -n "$program" ] || { echo "E: no $name in the packages" >&2; exit 1; }
    rm -f "bin/$name"
    cp -L "$program" "bin/$name"
    "$ld" --library-path "$libraries" --list "$program" | sed -n 's/^\t\([^/ ]*\) => \(\/.*\) (.*/\1 \2/p'
done | sort -u | while read -r name path; do cp -L "$path" "lib/$name"; done
[ -e lib/libc.so.6 ]
for type in ext2 ext3 ext4; do ln -sf mke2fs "bin/mkfs.$type"; done
ln -s dbclient bin/ssh
rm -f bin/sudo bin/mkfs bin/curl
# Who logs in is root: other images' scripts that ask for more find it.
printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
# By its type, which busybox's mkfs does not know.
cat >bin/mkfs <<'END'
#!/bin/sh
type=ext2
[ "$1" != -t ] || { type=$2; shift 2; }
exec "mkfs.$type" "$@"
END
# What scripts ask of curl: a page on standard output or in a file, and what it is.
cat >bin/curl <<'END'
#!/bin/sh
out=-
while [ $# -gt 1 ] || [ "${1#-}" != "$1" ]; do
    case $1 in
    -V | --version) exec echo 'curl (wget of busybox)' ;;
    -o) out=$2; shift ;;
    -*) ;;
    *) break ;;
    esac
    shift
done
exec wget -q -O "$out" "$1"
END
chmod +x bin/sudo bin/mkfs bin/curl

# What it is and who may log in.
echo 'root:*:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
echo /bin/sh >etc/shells
echo busybox >etc/hostname
echo '127.0.0.1 localhost' >etc/hosts
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >etc/nsswitch.conf
cat >etc/os-release <<END
ID=busybox
ID_LIKE=debian
NAME="BusyBox from Debian"
PRETTY_NAME="BusyBox from Debian $SUITE"
VERSION_CODENAME=$SUITE
END

cat >etc/inittab <<'END'
::sysinit:/etc/init.d/start
::once:/etc/init.d/user-data
::respawn:/bin/dropbear -F -R -s
::respawn:/bin/acpid -d -l /dev/null
::respawn:/bin/uevent /etc/init.d/device
console::askfirst:-/bin/sh
::ctrlaltdel:/bin/reboot
::shutdown:/etc/init.d/end
END
printf '#!/bin/sh\nexec poweroff\n' >etc/acpi/PWRF/00000080

cat >etc/init.d/start <<'END'
#!/bin/sh
# Everything that is to be there before somebody logs in.
export PATH=/bin
mount -o remount,rw /
root=$(sed 's/.*root=\([^ ]*\).*/\1/' /proc/cmdline)
resize2fs "$root" >/dev/null 2>&1 # the disk may have grown
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
ln -sf /run/resolv.conf /etc/resolv.conf
ip link set lo up
# A card speaks for its own addresses, also where two are on one network.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
hostname "$(cat /etc/hostname)"
for card in /sys/class/net/eth*; do
    [ ! -e "$card" ] || /etc/init.d/card "${card##*/}" &
done
/etc/init.d/metadata
END

cat >etc/init.d/end <<'END'
#!/bin/sh
sync
umount -a -r
END

cat >etc/init.d/device <<'END'
#!/bin/sh
# For each device that comes and goes while the machine runs.
[ "${ACTION:-} ${SUBSYSTEM:-}" != "add net" ] || exec /etc/init.d/card "$INTERFACE"
END

cat >etc/init.d/card <<'END'
#!/bin/sh
# An address for card $1, now or as soon as somebody gives it one.
export PATH=/bin
ip link set "$1" up
exec udhcpc -b -S -i "$1" -p "/run/udhcpc.$1.pid" -s /etc/init.d/lease -t 5 -T 2 -A 3 -R \
    -O staticroutes -O mtu -x "hostname:$(hostname)"
END

cat >etc/init.d/lease <<'END'
#!/bin/sh
# What udhcpc was told for its card. The route of a card that came later is asked later.
metric=$((100 + $(cat "/sys/class/net/$interface/ifindex")))
case $1 in
deconfig) ip addr flush dev "$interface" ;;
bound | renew)
    [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
    [ "$1" = renew ] || ip addr flush dev "$interface"
    ip addr replace "$ip/$mask" ${broadcast:+broadcast "$broadcast"} dev "$interface"
    if [ -n "$staticroutes" ]; then # RFC 3442: then routers are not heeded
        set -- $staticroutes
        while [ $# -ge 2 ]; do
            if [ "$2" = 0.0.0.0 ]; then
                ip route replace "$1" dev "$interface" metric "$metric"
            else
                ip route replace "$1" via "$2" dev "$interface" metric "$metric"
            fi
            shift 2
        done
    else
        for router in $router; do ip route replace default via "$router" dev "$interface" metric "$metric"; done
    fi
    { [ -z "$domain" ] || echo "search $domain"; for server in $dns; do echo "nameserver $server"; done; } \
        >"/run/resolv.$interface"
    cat /run/resolv.eth* >/run/resolv.conf
    ;;
esac
END

cat >etc/init.d/metadata <<'END'
#!/bin/sh
# What the server is told about itself, by its config drive or else by the metadata service: each time it starts its
# host name and keys, the first time also files and user data.
export PATH=/bin
drive=/run/config-drive service=http://169.254.169.254
umask 077
mkdir -p $drive /root/.ssh
device=$(blkid -L config-2 -o device) && mount -t iso9660 -o ro "$device" $drive || rmdir $drive

ask() { # PATH, as the drive and the service have it
    if [ -d $drive ]; then cat "$drive/$1"; else timeout 10 wget -q -O - "$service/$1"; fi 2>/dev/null
}
value() { # NAME of a text in the JSON that is read
    sed -n 's/.*"'"$1"'" *: *"\([^"\\]*\)".*/\1/p'
}

if [ -d $drive ]; then
    told=$(ask ec2/latest/meta-data.json)
    name=$(echo "$told" | value hostname) key=$(echo "$told" | value openssh-key) id=$(echo "$told" | value instance-id)
else
    tries=30
    until id=$(ask latest/meta-data/instance-id) && [ -n "$id" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "No config drive and no metadata service: no key to log in with."; exit; }
        sleep 1
    done
    name=$(ask latest/meta-data/hostname)
    key=$(ask latest/meta-data/public-keys/0/openssh-key)
fi
if [ -n "$name" ]; then
    short=$(echo "${name%%.*}" | cut -c 1-64) # Linux takes no more
    echo "$short" >/etc/hostname
    printf '127.0.0.1 localhost\n127.0.1.1 %s %s\n' "$name" "$short" >/etc/hosts
    chmod 644 /etc/hostname /etc/hosts
    hostname "$short"
fi
[ -z "$key" ] || echo "$key" >/root/.ssh/authorized_keys
if [ "$(cat /var/lib/nova-lite/instance-id 2>/dev/null)" != "$id" ]; then
    # A copy of another server: it is not to be taken for that one.
    [ ! -e /var/lib/nova-lite/instance-id ] || rm -f /etc/dropbear/*_host_key
    ask openstack/latest/meta_data.json | sed -n 's/.*"files" *: *\[\([^]]*\)\].*/\1/p' | grep -o '{[^}]*}' |
        while read -r file; do
            path=$(echo "$file" | value path) content=$(echo "$file" | value content_path)
            [ -n "$path" ] && [ -n "$content" ] || continue
            mkdir -p "$(dirname "$path")"
            ask "openstack${content}" >"$path"
        done
    if [ -d $drive ]; then ask openstack/latest/user_data; else ask latest/user-data; fi >/var/lib/nova-lite/user-data
    [ -s /var/lib/nova-lite/user-data ] && touch /var/lib/nova-lite/run-user-data
    echo "$id" >/var/lib/nova-lite/instance-id
fi
[ ! -d $drive ] || umount $drive
END

cat >etc/init.d/user-data <<'END'
#!/bin/sh
# User data that is a script runs once, with its output on the console.
cd /var/lib/nova-lite || exit
[ -e run-user-data ] || exit 0
rm run-user-data
[ "$(head -c 2 user-data)" = '#!' ] || exit 0
chmod 700 user-data
exec ./user-data </dev/null >/dev/console 2>&1
END
chmod +x etc/init.d/* etc/acpi/PWRF/*

# The kernel, and an initramfs that brings up what the machines here have: virtio.
cat "$tree"/boot/vmlinuz-* >"$KERNEL"
modules=$(find "$tree"/lib/modules "$tree"/usr/lib/modules -mindepth 1 -maxdepth 1 -type d 2>/dev/null | head -n 1)
mkdir -p "$start/bin" "$start/dev" "$start/modules" "$start/proc" "$start/root" "$start/sys" "$tree/base/lib"
ln -s "${modules%/*}" "$tree/base/lib/modules"
bin/busybox depmod -b "$tree/base" "${modules##*/}"
wanted='virtio_pci virtio_blk virtio_net virtio_rng virtio_balloon button evdev isofs vfat pvpanic_mmio'
awk -v wanted="$wanted" '
    function plain(file) { sub(/.*\//, "", file); sub(/\.ko.*/, "", file); gsub(/-/, "_", file); return file }
    function need(name,    parts, count, at) {
        if (name in taken || name in builtin || !(name in file)) return
        taken[name] = 1
        count = split(needs[name], parts, " ")
        for (at = 1; at <= count; at++) need(plain(parts[at]))
        print file[name]
    }
    FILENAME ~ /builtin$/ { builtin[plain($0)] = 1; next }
    { sub(/:/, " "); name = plain($1); file[name] = $1; $1 = ""; needs[name] = $0 }
    END { count = split(wanted, names, " "); for (at = 1; at <= count; at++) need(names[at]) }
' "$modules/modules.builtin" "$modules/modules.dep" >"$start/order.files"
while read -r file; do
    name=${file##*/}
    case $name in
    *.xz) name=${name%.xz} && xzcat "$modules/$file" >"$start/modules/$name" ;;
    *.zst) name=${name%.zst} && zstdcat "$modules/$file" >"$start/modules/$name" ;;
    *) cp "$modules/$file" "$start/modules/$name" ;;
    esac
    echo "$name"
done <"$start/order.files" >"$start/modules/order"
rm "$start/order.files"
[ -e "$start/modules/virtio_blk.ko" ]
cp bin/busybox "$start/bin/"
for name in cat insmod mount sh sleep switch_root; do ln -s busybox "$start/bin/$name"; done
cat >"$start/init" <<'END'
#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do insmod "/modules/$module"; done </modules/order
for word in $(cat /proc/cmdline); do
    case $word in root=*) root=${word#root=} ;; esac
done
tries=300
until [ -b "$root" ] || [ $tries = 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
mount -t ext4 -o ro "$root" /root || { echo "The root disk, $root, cannot be mounted."; exit 1; }
for folder in dev proc sys; do mount --move /$folder /root/$folder; done
exec switch_root /root /bin/init
END
chmod +x "$start/init"
(cd "$start" && find . | "$made/bin/busybox" cpio -o -H newc) 2>/dev/null | gzip -1 >"$INITRAMFS"

chown -R 0:0 "$made"
mke2fs -q -F -t ext4 -m 1 -L busybox -E lazy_itable_init=1,lazy_journal_init=1 -d "$made" "$DISK"
