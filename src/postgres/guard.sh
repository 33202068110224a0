# The guard: parent of one throwaway server, in a process group of its own.
#
#   sh -c "$(cat guard.sh)" plimsoll-guard DIRECTORY PROGRAM ARGUMENT...
#
# stdin is a pipe to which the owner never writes: its end is the owner's end,
# in whatever way that came. stdout carries one line when the server has been
# started and one when it has ended; it closes when all is done. stderr is the directory's lock file, so
# that the lock is held while the guard still has something to clean up.
#
# Three processes, so that none of them is indispensable: this shell waits for
# the server, the reader waits for the owner's end, the watcher for this
# shell's end. Each stops the server; the directory goes last.
ulimit -c 0
directory=$1
shift
server=

# The pid is the server's as long as this shell has not collected it (`ended`).
server_runs() {
    [ -d "$directory" ] && [ ! -e "$directory/ended" ] && kill -0 "$server" 2>/dev/null
}

# Immediate shutdown: nothing of the data is wanted any more.
stop_server() {
    server_runs || return 0
    kill -QUIT "$server" 2>/dev/null
    rounds=0
    while server_runs && [ "$rounds" -lt 400 ]; do
        sleep 0.025
        rounds=$((rounds + 1))
    done
    server_runs && kill -KILL "$server" 2>/dev/null
    return 0
}

# Again, because a backend on its way out may still write a file.
remove_directory() {
    rounds=0
    while [ -d "$directory" ] && [ "$rounds" -lt 40 ]; do
        rm -rf -- "$directory" 2>/dev/null && return 0
        sleep 0.05
        rounds=$((rounds + 1))
    done
}

trap stop_server HUP INT TERM
# The owner may be gone when there is something to tell it.
trap '' PIPE
exec 4<&0 </dev/null
mkfifo "$directory/alive" || exit 1
# Open for both, so that nobody has to wait for the other side to open it.
exec 3<>"$directory/alive"

"$@" >>"$directory/server.log" 2>&1 3>&- 4<&- &
server=$!

{
    trap '' HUP INT TERM
    cat >/dev/null
    stop_server
    remove_directory
} <"$directory/alive" 3>&- 4<&- &

{
    trap '' HUP INT TERM
    cat >/dev/null
    stop_server
} <&4 3>&- &
reader=$!
exec 4<&-

echo "started $server"
while server_runs; do
    wait "$server"
    status=$?
    # A trapped signal ends `wait` early; a collected server is no process any more.
    kill -0 "$server" 2>/dev/null || : >"$directory/ended"
done
echo "exited $status" 2>/dev/null
wait "$reader"
remove_directory
