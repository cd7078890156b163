#!/usr/bin/env bash
# Train under slurm: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# GPUS (default 8) in all, GPUS_PER_NODE (default 8), CPUS_PER_TASK (default 5), SRUN_ARGS: further arguments of srun.
# For a run that outlives its time limit, submit with sbatch and let slurm send SIGTERM before the end: see
# docs/training_at_scale.md.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]" >&2
    exit 2
fi
partition=$1 job=$2 config=$3
shift 3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
[ "$per_node" -le "$gpus" ] || per_node=$gpus
# Ranks that share a machine's cores must not each start a thread per core.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# SRUN_ARGS is a list of words.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" --gres=gpu:"$per_node" --ntasks="$gpus" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" --launcher slurm "$@"
