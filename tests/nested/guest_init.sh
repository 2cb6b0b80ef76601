#!/bin/busybox sh
# /init of a test guest: modules, then what the kernel command line asks for (guest_initramfs.py says what it may).
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
echo 'nl: init'
for module in $(cat /modules/order); do
    insmod "/modules/$module"
done
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
[ ! -e /dev/input/event0 ] || acpid -l /dev/null
ip link set lo up

run= then=
case "$(cat /proc/cmdline)" in
*nl.run=\"*) run=$(sed 's/.*nl\.run="\([^"]*\)".*/\1/' /proc/cmdline) ;;
*nl.run=*) run=$(sed 's/.*nl\.run=\([^ ]*\).*/\1/' /proc/cmdline) ;;
esac
for word in $(cat /proc/cmdline); do
    case $word in nl.then=*) then=${word#nl.then=} ;; esac
done

echo 'nl: ready'
if [ -n "$run" ]; then
    sh -c "$run" </dev/null
    echo "nl: exit $?"
else
    then=${then:-shell}
fi
case ${then:-poweroff} in
poweroff) poweroff -f ;;
reboot) reboot -f ;;
panic) echo c >/proc/sysrq-trigger ;;
wait) while true; do sleep 1000; done ;;
*) while true; do setsid cttyhack sh; done ;;
esac
while true; do sleep 1000; done
