# One console: runs what the runner sends, one command after another, and tells how each has ended.
# No job control: with it, bash ends when a command is interrupted.
exec 8>"$1/ended.$2" 9<"$1/commands.$2" >"$1/output.$2" 2>&1
_was() { return "$1"; }
_stdin=$1/stdin.$2 _status=0
set --
# A command that was interrupted does not take the shell with it.
trap : INT
while IFS= read -r -d '' -u 9 _command; do
    eval "_was $_status
$_command" <"$_stdin" 8>&- 9<&-
    _status=$?
    echo "$_status" >&8
done
