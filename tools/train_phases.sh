#!/usr/bin/env bash
# Train phases one after another: bash tools/train_phases.sh CONFIG... [-- arguments of tools/train.py]
# Each config's load_from names the work dir of the phase before it. Repeat the same command after a kill: phases that have a
# checkpoint go on from it, finished ones end at once. FLORENCE_RANKS is the number of ranks (default 1); several machines: as
# with tools/dist_train.sh.
set -euo pipefail
configs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    configs+=("$1")
    shift
done
[ $# -eq 0 ] || shift
if [ ${#configs[@]} -eq 0 ]; then
    echo "usage: bash tools/train_phases.sh CONFIG... [-- arguments of tools/train.py]" >&2
    exit 2
fi
for config in "${configs[@]}"; do
    case $config in
        -*)
            echo "error: $config stands among the configs; arguments of tools/train.py come after --: CONFIG... -- $config" >&2
            exit 2 ;;
    esac
    [ -f "$config" ] || { echo "error: no config $config" >&2; exit 2; }
done
for argument in "$@"; do
    case $argument in
        --work-dir* | --load-from* | --resume*)
            echo "error: $argument cannot be given to several phases: each has its own work dir and takes the phase before it" >&2
            exit 2 ;;
    esac
done

tools=$(dirname "$0")
set -m  # Ctrl-C reaches this script alone, which tells the phase once; told twice, the launcher would not wait for its ranks
running=
trap 'if [ -n "$running" ]; then kill -TERM "$running"; fi' TERM INT  # so that the phase at hand saves a checkpoint

for config in "${configs[@]}"; do
    work_dir=work_dirs/$(basename "$config" .py)
    arguments=(--work-dir "$work_dir" "$@" --resume)  # a phase without a checkpoint starts from its load_from
    echo "phase $config ${arguments[*]}"
    if [ "${FLORENCE_RANKS:-1}" -gt 1 ]; then
        bash "$tools/dist_train.sh" "$config" "$FLORENCE_RANKS" "${arguments[@]}" &
    else
        "${PYTHON:-python}" "$tools/train.py" "$config" "${arguments[@]}" &
    fi
    running=$!
    status=0
    wait "$running" || status=$?
    # A signal ends the first wait before the phase has saved its checkpoint.
    while kill -0 "$running" 2>/dev/null; do
        status=0
        wait "$running" || status=$?
    done
    running=
    if [ "$status" -ne 0 ]; then
        echo "phase $config ended with status $status; the same command goes on from its latest checkpoint" >&2
        exit "$status"
    fi
done
