#!/usr/bin/env bash
# Train on several ranks of one machine: bash tools/dist_train.sh CONFIG NUM_RANKS [arguments of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash tools/dist_train.sh CONFIG NUM_RANKS [arguments of tools/train.py]" >&2
    exit 2
fi
config=$1 ranks=$2
shift 2
# Ranks that share a machine's cores must not each start a thread per core.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$ranks" "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
