# Process 1 of the box: runs the command, carries its output to the host's ports, tells its exit code, powers off.
#
# The command writes to FIFOs, not to the ports: a port can be opened only once, and programs do reopen /dev/stderr.
box=/run/kvmbox
b=$box/busybox
# What the kernel loads when somebody asks for it (a rule of nftables): this machine need not have kmod.
printf '#!%s sh\nexec %s modprobe "$@"\n' $b $b >$box/modprobe
$b chmod +x $box/modprobe
echo $box/modprobe >/proc/sys/kernel/modprobe
port() {
    for name in /sys/class/virtio-ports/*/name; do
        read -r found <"$name"
        [ "$found" != "$1" ] || { name=${name%/name}; echo "/dev/${name##*/}"; return; }
    done
}
$b mkfifo $box/stdout $box/stderr
$b cat $box/stdout >"$(port stdout)" &
relays="$!"
$b cat $box/stderr >"$(port stderr)" &
relays="$relays $!"

$b setsid /bin/sh $box/command </dev/null >$box/stdout 2>$box/stderr
status=$?

# What the command left running would keep the FIFOs open; kernel threads do not mind.
for process in /proc/[0-9]*; do
    process=${process#/proc/}
    case " 1 $relays " in
    *" $process "*) ;;
    *) kill -9 "$process" 2>/dev/null ;;
    esac
done
wait
$b sync
echo "exit $status" >"$(port status)"
$b poweroff -f
