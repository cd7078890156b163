#!/usr/bin/env bash
# Evaluate under slurm: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
# GPUS (default 8) in all, GPUS_PER_NODE (default 8), CPUS_PER_TASK (default 5), SRUN_ARGS: further arguments of srun.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]" >&2
    exit 2
fi
partition=$1 job=$2 config=$3 checkpoint=$4
shift 4
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
[ "$per_node" -le "$gpus" ] || per_node=$gpus
# Ranks that share a machine's cores must not each start a thread per core.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# SRUN_ARGS is a list of words.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" --gres=gpu:"$per_node" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher slurm "$@"
