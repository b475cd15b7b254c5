# The first process in a place of its own: network, mounts, processes, host name. All of it ends with it.
# $1: the folder of the runner; $2: the folder of the transcript; then the consoles.
control=$1 dir=$2
shift 2
ip link set lo up
mount --bind "$control/hosts" /etc/hosts
mount --bind "$control/nsswitch.conf" /etc/nsswitch.conf
echo board >/proc/sys/kernel/hostname
cd "$dir"
# With job control, or else what runs in the background could not be interrupted.
set -m
for console; do
    bash "$control/console.sh" "$control" "$console" &
done
# Until the runner has gone.
read -r _
