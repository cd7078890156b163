#!/usr/bin/env bash
# From a fresh clone to a trained, evaluated model: bash tools/quickstart.sh
# Makes .venv (or $FLORENCE_VENV), trains a nano two-tower with UniCL on digit scenes, evaluates it zero-shot and by retrieval on
# scenes of held-out scans, and writes work_dirs/quickstart/: metrics.json, loss_curve.png, retrieval_gallery.png, checkpoints.
# Run again, it starts the training anew; the environment is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/environment.sh
prepare_environment ''

config=configs/unicl/unicl_coswin-nano_10min_digits.py
out=work_dirs/quickstart
ranks=${FLORENCE_RANKS:-2}
started=$SECONDS
echo "training $config on $ranks ranks, log: $out/train.log"
mkdir -p "$out"
PYTHON="$PYTHON_ENV" bash tools/dist_train.sh "$config" "$ranks" --work-dir "$out" 2>&1 |
    tee "$out/train.log" | grep --line-buffered -E 'Iter\((train|val)\)|Error|error:|trained '
trained=$((SECONDS - started))
checkpoint=$(cat "$out/last_checkpoint")
"$PYTHON_ENV" tools/test.py "$config" "$checkpoint" --work-dir "$out/test" --out "$out/metrics.json" >"$out/test.log" 2>&1 ||
    { tail -n 20 "$out/test.log"; exit 1; }
"$PYTHON_ENV" tools/analysis_tools/plot_loss_curve.py "$out" "$out/loss_curve.png" >>"$out/test.log" 2>&1
"$PYTHON_ENV" tools/analysis_tools/retrieval_gallery.py "$config" "$checkpoint" "$out/retrieval_gallery.png" >>"$out/test.log" 2>&1
echo "trained in $trained s, all in $((SECONDS - started)) s; figures and pictures in $out:"
cat "$out/metrics.json"
