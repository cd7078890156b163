#!/usr/bin/env bash
# Evaluate on several ranks of one machine: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_RANKS [arguments of tools/test.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_RANKS [arguments of tools/test.py]" >&2
    exit 2
fi
config=$1 checkpoint=$2 ranks=$3
shift 3
# Ranks that share a machine's cores must not each start a thread per core.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$ranks" "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
