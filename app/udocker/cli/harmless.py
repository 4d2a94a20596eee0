"""Options of docker's run that nobody can honour without root, and that harm nobody: as data.

docker-run(1). An ordinary user owns no cgroup, no network and no capability, and no daemon restarts
or supervises anything.
"""

from udocker.cli.grammar import harmless

#: Of the values behind the metavar nobody has to be told that they change nothing.
HARMLESS = (
    harmless("-m --memory", "SIZE", "0"), harmless("--memory-reservation", "SIZE", "0"),
    harmless("--memory-swap", "SIZE", "0"), harmless("--memory-swappiness", "N", "-1"),
    harmless("--kernel-memory", "SIZE", "0"), harmless("--oom-kill-disable", ""),
    harmless("--oom-score-adj", "N", "0"), harmless("--pids-limit", "N", "0", "-1"),
    harmless("--cpus", "N", "0"), harmless("-c --cpu-shares", "N", "0"),
    harmless("--cpu-count", "N", "0"), harmless("--cpu-percent", "N", "0"),
    harmless("--cpu-period", "N", "0"), harmless("--cpu-quota", "N", "0"),
    harmless("--cpu-rt-period", "N", "0"), harmless("--cpu-rt-runtime", "N", "0"),
    harmless("--cpuset-mems", "LIST", ""), harmless("--blkio-weight", "N", "0"),
    harmless("--blkio-weight-device", "DEVICE:N"), harmless("--device-read-bps", "DEVICE:RATE"),
    harmless("--device-read-iops", "DEVICE:RATE"), harmless("--device-write-bps", "DEVICE:RATE"),
    harmless("--device-write-iops", "DEVICE:RATE"), harmless("--device-cgroup-rule", "RULE"),
    harmless("--io-maxbandwidth", "RATE", "0"), harmless("--io-maxiops", "N", "0"),
    harmless("--cap-add", "CAPABILITY"), harmless("--cap-drop", "CAPABILITY"),
    harmless("--security-opt", "OPTION"), harmless("--privileged", ""),
    harmless("--group-add", "GROUP"), harmless("--ipc", "MODE", "", "host"),
    harmless("--pid", "MODE", "", "host"), harmless("--uts", "MODE", "", "host"),
    harmless("--userns", "MODE", "", "host"), harmless("--cgroupns", "MODE", "", "host"),
    harmless("--cgroup-parent", "NAME", ""), harmless("--isolation", "KIND", "", "default"),
    harmless("--runtime", "NAME", ""), harmless("--init", ""), harmless("--sysctl", "KEY=VALUE"),
    harmless("--link", "CONTAINER"), harmless("--link-local-ip", "ADDRESS"),
    harmless("--ip", "ADDRESS"), harmless("--ip6", "ADDRESS"), harmless("--mac-address", "ADDRESS"),
    harmless("--net-alias --network-alias", "NAME"), harmless("--domainname", "NAME", ""),
    harmless("--volumes-from", "CONTAINER"), harmless("--volume-driver", "NAME", "local"),
    harmless("--storage-opt", "OPTION"), harmless("--restart", "WHEN", "", "no"),
    harmless("--stop-signal", "SIGNAL"), harmless("--stop-timeout", "SECONDS"),
    harmless("--log-driver", "NAME", "none"), harmless("--log-opt", "OPTION"),
    harmless("--health-cmd", "COMMAND"), harmless("--health-interval", "TIME"),
    harmless("--health-retries", "N"), harmless("--health-start-interval", "TIME"),
    harmless("--health-start-period", "TIME"), harmless("--health-timeout", "TIME"),
    harmless("--annotation", "KEY=VALUE"),
) + tuple(option._replace(default=None) for option in (
    harmless("--expose", "PORT"), harmless("--no-healthcheck", ""), harmless("--sig-proxy", ""),
    harmless("--detach-keys", "KEYS"), harmless("--disable-content-trust", ""),
))
