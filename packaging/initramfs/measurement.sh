# What BMonitor's files are, as one SHA-256. Read by the initial RAM disk, which measures them before anything of the disk's system runs, and by
# bmonitor-measurement, which says beforehand what will be measured.

measured_paths='usr/lib/bmonitor usr/share/bmonitor usr/bin/bmonitor usr/sbin/bmonitor-open usr/sbin/bmonitor-measurement
usr/lib/systemd/system/bmonitor.service usr/lib/systemd/system/bmonitor-closed.service
etc/systemd/system/bmonitor.service etc/systemd/system/bmonitor.service.d
etc/systemd/system/bmonitor-closed.service etc/systemd/system/bmonitor-closed.service.d'

# measurement ROOT FILE: the machine's files are below ROOT; FILE names more paths, one a line.
measurement() (
  # A path that is not there is an answer too, whatever the caller makes of failures.
  set +e
  cd "$1/" || exit 1
  more=
  if [ -e "$2" ]; then more=$(sed -e 's/#.*//' -e 's|^/*||' "$2"); fi
  for path in $measured_paths $more; do
    echo "$path"
    find "$path" -type l -exec sh -c 'echo "$1 -> $(readlink "$1")"' sh '{}' ';' 2>/dev/null
    find "$path" -type f -print0 2>/dev/null | LC_ALL=C sort -z | xargs -0 -r sha256sum
  done | LC_ALL=C sort -u | sha256sum | cut -d ' ' -f 1
)

# next_value OLD DIGEST: what a register holds after DIGEST was extended into it, in hexadecimal.
octal() {
  rest=$1
  while [ -n "$rest" ]; do
    tail=${rest#??}
    printf '\\%03o' "0x${rest%"$tail"}"
    rest=$tail
  done
}
next_value() { printf "$(octal "$1$2")" | sha256sum | cut -d ' ' -f 1; }
